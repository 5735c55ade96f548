"""One run of all checks against one environment, and the evidence of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from access.issuer import read_key
from mirror.errors import BadInput, ToolMissing

from . import keys
from .cluster import Cluster, gateway_address
from .egress import EgressLog
from .environment import Environment, StackOutputs, read_receipt
from .evidence import CheckResult, Evidence, Group, Subject, conclude
from .inventory import RunningImage, inventory
from .plugin import EvidencePlugin, Stopwatch

CHECKS = Path(__file__).parent / "checks"


class Interrupted(Exception):
    """The operator stopped the run; the probes were removed, no evidence was written."""


def run(
    environment: Environment,
    cluster: Cluster,
    *,
    only: frozenset[Group] = frozenset(),
    progress: Callable[[CheckResult], None] = lambda _: None,
) -> Evidence:
    """Run the checks and conclude. Raises Interrupted, or ToolMissing when pytest itself fails."""
    tested = describe(environment, cluster)
    started, watch = datetime.now(UTC), Stopwatch()
    plugin = EvidencePlugin(environment, cluster, only=only, progress=progress)
    _pytest(plugin)
    return conclude(
        tested,
        plugin.checks,
        running(environment, cluster),
        egress=EgressLog.read(environment.egress) if environment.egress else None,
        seconds=watch.seconds,
        when=started,
    )


def describe(environment: Environment, cluster: Cluster) -> Subject:
    """The environment as the evidence names it."""
    return Subject(
        stack=environment.outputs.stack or "",
        cluster=cluster.get("namespace", "kube-system")["metadata"]["uid"],
        kubernetes=cluster.kubernetes(),
        domain=environment.outputs.domain,
        gateway=f"{environment.address}:{environment.port}",
        registry=environment.receipt.registry,
        bundle=environment.receipt.bundle,
        receipt_sha256=environment.receipt_sha256,
    )


def running(environment: Environment, cluster: Cluster) -> list[RunningImage]:
    """Every image of the platform's namespaces, now."""
    pods = [pod for name in environment.outputs.all_namespaces for pod in cluster.items("pods", "-n", name)]
    return inventory(pods, environment.receipt)


def groups(names: list[str]) -> frozenset[Group]:
    """The groups called ``names``; raises BadInput that lists all."""
    known = {g.value for g in Group}
    for name in names:
        if name not in known:
            raise BadInput(f"--only {name}", "there is no such group of checks", f"Name one of: {', '.join(known)}.")
    return frozenset(Group(n) for n in names)


def _pytest(plugin: EvidencePlugin) -> None:
    """Run pytest on the installed checks, with nothing of the surrounding project's configuration or plugins."""
    arguments = [
        str(CHECKS),
        f"--rootdir={CHECKS}",
        f"-c={os.devnull}",
        f"--confcutdir={CHECKS}",
        "--import-mode=importlib",
        "--disable-plugin-autoload",
        "--capture=no",
        "-pno:cacheprovider",
        "-pno:terminal",
    ]
    code = pytest.main(arguments, plugins=[plugin])
    if plugin.interrupted:
        raise Interrupted
    if code in (pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.USAGE_ERROR):
        raise ToolMissing("pytest", f"it ended with {code!r} before the checks did", "Report this with its output.")


def reach(
    stack_outputs: Path,
    receipt: Path,
    kubeconfig: Path | None,
    address: str | None,
    egress: Path | None,
    issuer_key: Path | None,
) -> tuple[Environment, Cluster]:
    """The environment that the arguments name, and its cluster; BadInput where it asks for keys and has none."""
    outputs = StackOutputs.read(stack_outputs)
    arrived, digest = read_receipt(receipt, outputs)
    cluster = Cluster(kubeconfig)
    host, port = gateway_address(cluster, outputs.gateway, address)
    signing = read_key(issuer_key) if issuer_key else None
    environment = Environment(outputs, arrived, digest, kubeconfig, host, port, egress, signing)
    if outputs.access.mode == "keys":
        keys.issuer(environment)
    return environment, cluster
