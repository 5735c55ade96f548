"""``sealift smoke``: check a deployed platform and write the evidence."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from mirror.document import write_atomically
from mirror.errors import ChecksFailed

from . import page, session
from .cluster import Cluster, gateway_address
from .environment import Environment, StackOutputs, read_receipt
from .evidence import CheckResult, Evidence, Group, Result, Sections

EVIDENCE = "evidence.json"
PAGE = "evidence.html"
GROUPS = ", ".join(Group)
_INTERRUPTED = 130  # 128 + SIGINT, as shells count
_STYLE = {Result.PASSED: "green", Result.FAILED: "bold red", Result.NOT_ASKED: "yellow"}

app = typer.Typer(no_args_is_help=True)


@app.command()
def smoke(
    stack_outputs: Annotated[Path, typer.Option(help="What `pulumi stack output --json` printed.")],
    receipt: Annotated[Path, typer.Option(help="The receipt that the stack was made from.")],
    output: Annotated[Path, typer.Option(help=f"Directory for {EVIDENCE} and {PAGE}.")] = Path("evidence"),
    kubeconfig: Annotated[Path | None, typer.Option(help="Default: kubectl's own.")] = None,
    address: Annotated[
        str | None, typer.Option(metavar="HOST[:PORT]", help="Where the gateway answers. Default: from its Service.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="GROUP", help=f"Make only these checks: {GROUPS}. Repeatable.")
    ] = None,
    egress: Annotated[Path | None, typer.Option(help="The site's account of attempted egress (JSON).")] = None,
    sections: Annotated[Path | None, typer.Option(help="Tables to add to the evidence (JSON).")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the evidence as JSON; progress goes to stderr.")] = False,
) -> None:
    """Check a deployed platform: API, mutual TLS, images, hardening, egress. Exit code 12 when a check fails."""
    groups = session.groups(only or [])
    added = Sections.read(sections).sections if sections else []
    environment, cluster = reach(stack_outputs, receipt, kubeconfig, address, egress)
    console = Console(stderr=json, highlight=False, soft_wrap=True)
    try:
        found = session.run(environment, cluster, only=groups, progress=lambda c: say(console, c))
    except session.Interrupted:
        console.print("Stopped. The client pods are removed; no evidence was written.")
        raise typer.Exit(_INTERRUPTED) from None
    found = found.with_sections(*added)
    write(found, output)
    if json:
        sys.stdout.write(found.text(".json"))
    conclude(console, found, output)


def reach(
    stack_outputs: Path, receipt: Path, kubeconfig: Path | None, address: str | None, egress: Path | None
) -> tuple[Environment, Cluster]:
    """The environment that the arguments name, and its cluster."""
    outputs = StackOutputs.read(stack_outputs)
    arrived, digest = read_receipt(receipt, outputs)
    cluster = Cluster(kubeconfig)
    host, port = gateway_address(cluster, outputs.gateway, address)
    return Environment(outputs, arrived, digest, kubeconfig, host, port, egress), cluster


def write(evidence: Evidence, directory: Path) -> None:
    """Write evidence.json and the page of it."""
    evidence.write(directory / EVIDENCE)
    write_atomically(directory / PAGE, page.html(evidence))


def say(console: Console, check: CheckResult) -> None:
    """One line for a check that ended, and why if it did not pass."""
    word = f"{check.result.value:<9}"
    console.print(f"[{_STYLE[check.result]}]{word}[/] {page.duration(check.seconds):>12}  ", end="")
    console.print(check.sentence, markup=False)
    if check.result is Result.FAILED:
        console.print(f"{'':24}{check.reason}", markup=False, style="red")


def conclude(console: Console, evidence: Evidence, directory: Path) -> None:
    """The verdict in one sentence; raises ChecksFailed when it is bad."""
    totals = evidence.totals
    counts = f"{totals.passed} passed, {totals.failed} failed, {totals.not_asked} not asked"
    if evidence.verdict == "failed":
        raise ChecksFailed(
            f"environment {evidence.environment.domain}",
            f"{counts} in {page.duration(evidence.seconds)}",
            f"Read {directory / PAGE}: each failed check says what it met.",
        )
    console.print(f"Passed: {counts} in {page.duration(evidence.seconds)}. Evidence: {directory / PAGE}", markup=False)
