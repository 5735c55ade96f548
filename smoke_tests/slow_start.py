"""A model whose server takes longer to start than any of the usual five-minute limits, asked while none of it runs."""

from __future__ import annotations

import time
from dataclasses import dataclass

from mirror.errors import ToolMissing

from .cluster import Cluster, wait_until
from .environment import Environment, ServedModel
from .trials import Trial

NAME = "sealift-slow"
"""Of the model that starts slowly."""
USUAL_LIMIT = 300
"""Seconds after which Knative by itself answers 504 to who still waits for a first byte."""
_SLEEP = USUAL_LIMIT + 10
"""The server's own start comes on top."""
PATIENCE = 900
"""Seconds: the model's timeout, and the client's."""
_MADE_SECONDS = 120


@dataclass(frozen=True)
class ColdStart:
    """One request, from no replica to its answer."""

    seconds: float
    text: str


def trial(environment: Environment, cluster: Cluster, like: ServedModel) -> Trial:
    """The model that starts slowly."""
    at_zero = {"autoscaling.knative.dev/initial-scale": "0"}
    return Trial(environment, cluster, like, NAME, timeout_seconds=PATIENCE, annotations=at_zero)


def wait_for(trial: Trial) -> ColdStart:
    """Make the model without a replica, ask it once, and remove it.

    Raises ToolMissing when it is never made; what the client raises comes through.
    """
    try:
        trial.make(minReplicas=0, model={"command": late(_SLEEP), "startupProbe": trial.startup_probe(PATIENCE)})
        if not wait_until(lambda: trial.state().ready, seconds=_MADE_SECONDS, every=1):
            why = f"not made in {_MADE_SECONDS} s: {trial.account()}"
            raise ToolMissing(f"model {trial.name}", why, "See its events.")
        with trial.client(seconds=PATIENCE) as client:
            since = time.monotonic()
            answer = client.completions.create(model=trial.name, prompt="Good morning.", max_tokens=4)
            return ColdStart(time.monotonic() - since, answer.choices[0].text)
    finally:
        trial.remove()


def late(seconds: int) -> list[str]:
    """The model server's own command after a sleep of ``seconds``; its arguments come after it as they are.

    As a container's first process Python would sleep through the signal to end.
    """
    steps = (
        "import os, signal, sys, time",
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit())",
        f"time.sleep({seconds})",
        "os.execvp('vllm', ['vllm', 'serve', *sys.argv[1:]])",
    )
    return ["python3", "-c", "; ".join(steps)]
