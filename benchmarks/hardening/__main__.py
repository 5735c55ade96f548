"""``python -m benchmarks.hardening``: three ways to one model, in turn, and what each step of hardening costs.

Needs a running environment (``sealift rehearse --up-only`` leaves one) and the files that ``sealift smoke`` takes, and
runs where pods are reached by their addresses, which is on a node of the cluster.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import NamedTuple

from smoke_tests import keys, session
from smoke_tests.environment import Environment

from ..refusal import told
from . import copy, cores
from .load import KEY_VARIABLE, Measured

ROUNDS = 3
SECONDS = 20


class Case(NamedTuple):
    """How many ask at once, and how many tokens each answer has."""

    users: int
    tokens: int


CASES = (Case(1, 16), Case(16, 16), Case(16, 128))
"""One alone; and at saturation answers so short that what is around the model shows, and answers as chats have them."""


@dataclass(frozen=True)
class Way:
    """One way to the model."""

    name: str
    arguments: tuple[str, ...]


def measure(way: Way, case: Case, seconds: float, key: str) -> Measured:
    """One load in a process of its own."""
    words = [sys.executable, "-m", "benchmarks.hardening.load", *way.arguments]
    words += ["--users", str(case.users), "--tokens", str(case.tokens), "--seconds", str(seconds)]
    done = subprocess.run(words, env={**os.environ, KEY_VARIABLE: key}, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{way.name}: {done.stderr[-2000:]}")
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


def ways(environment: Environment, name: str, url: str, pod: str, authority: Path) -> list[Way]:
    """From the least protected to the most."""
    secure = ("--model", name, "--connect", f"{environment.address}:{environment.port}", "--ca", str(authority))
    return [
        Way("straight to vLLM, plaintext", ("--url", f"http://{pod}/v1", "--model", name)),
        Way("gateway, plaintext behind it", ("--url", f"https://{copy.host(environment)}/v1", *secure)),
        Way("gateway, mutual TLS behind it", ("--url", url, *secure)),
    ]


def table(found: dict[tuple[str, Case], list[Measured]], first: str) -> str:
    """Medians over the rounds; ratios are to the ``first`` way in the same case."""
    heading = "tokens/s", "ratio", "p50 ms", "p95 ms", "p99 ms", "failed"
    lines = [f"{'way':32} {'users':>5} {'tokens':>6} " + " ".join(f"{h:>9}" for h in heading)]
    for (name, case), measured in found.items():
        rate = median(m.per_second for m in measured)
        reference = median(m.per_second for m in found[first, case])
        points = [median(getattr(m, p) for m in measured) for p in ("p50", "p95", "p99")]
        failed = sum(m.failures for m in measured)
        shown = " ".join(f"{p:9.0f}" for p in points)
        lines.append(f"{name:32} {case.users:5} {case.tokens:6} {rate:9.0f} {rate / reference:9.2f} {shown} {failed:9}")
    return "\n".join(lines)


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("stack-outputs", "receipt", "kubeconfig", "issuer-key"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="Of each load.")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument(
        "--apart",
        action="store_true",
        help="The model server alone on the first core, all that is around it on others.",
    )
    return parser.parse_args()


def rounds(count: int, seconds: float, tried: Sequence[Way], key: str) -> dict[tuple[str, Case], list[Measured]]:
    """All ways in turn, ``count`` times; each is told as it is measured."""
    found: dict[tuple[str, Case], list[Measured]] = {(w.name, c): [] for c in CASES for w in tried}
    for way in tried:
        measure(way, Case(2, 16), 3, key)
    for number in range(1, count + 1):
        for case in CASES:
            for way in tried:
                measured = measure(way, case, seconds, key)
                found[way.name, case].append(measured)
                said = f"{case.users:2} users, {case.tokens:3} tokens, {way.name}: {measured.per_second:.0f} tokens/s"
                print(f"round {number}, {said}", flush=True)
    return found


def main() -> int:
    """Measure in turn, so that what else the machine does falls on all of them."""
    given = arguments()
    environment, cluster = session.reach(
        given.stack_outputs, given.receipt, given.kubeconfig, None, None, given.issuer_key
    )
    model = next(m for m in environment.outputs.models if m.mode == "Standard")
    key = keys.for_model(environment, model) or ""
    with (
        tempfile.NamedTemporaryFile("w", suffix=".crt") as authority,
        copy.running(environment, cluster, model) as copied,
    ):
        authority.write(environment.outputs.ca_certificate)
        authority.flush()
        tried = ways(environment, model.served_name, model.url, copy.address(copied), Path(authority.name))
        labels = ",".join(f"{k}={v}" for k, v in copy.GATEWAY.items())
        gateways = cluster.items("pods", "-n", environment.outputs.gateway.namespace, "-l", labels)
        pods = [copied, *gateways, *cluster.predictor_pods(model.name, model.namespace)]
        with cores.apart(pods) if given.apart else nullcontext():
            found = rounds(given.rounds, given.seconds, tried, key)
    print(table(found, tried[0].name))
    return 0


if __name__ == "__main__":
    raise SystemExit(told(main))
