"""``sealift smoke``: check a deployed platform and write the evidence."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from .evidence import EVIDENCE, PAGE, Group, Sections

GROUPS = ", ".join(Group)
_INTERRUPTED = 130  # 128 + SIGINT, as shells count

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
    issuer_key: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="issuer-key.json of an issuer that the stack believes."),
    ] = None,
    egress: Annotated[Path | None, typer.Option(help="The site's account of attempted egress (JSON).")] = None,
    sections: Annotated[Path | None, typer.Option(help="Tables to add to the evidence (JSON).")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the evidence as JSON; progress goes to stderr.")] = False,
) -> None:
    """Check a deployed platform: API, mutual TLS, images, hardening, egress. Exit code 12 when a check fails.

    Example: sealift smoke --stack-outputs outputs.json --receipt site/receipt.json --output evidence
    """
    from . import outcome, session  # pytest and the API's client take a second, which no other command should wait

    groups = session.groups(only or [])
    added = Sections.read(sections).sections if sections else []
    environment, cluster = session.reach(stack_outputs, receipt, kubeconfig, address, egress, issuer_key)
    console = Console(stderr=json, highlight=False, soft_wrap=True)
    try:
        found = session.run(environment, cluster, only=groups, progress=lambda c: outcome.say(console, c))
    except session.Interrupted:
        console.print("Stopped. The client pods are removed; no evidence was written.")
        raise typer.Exit(_INTERRUPTED) from None
    found = found.with_sections(*added)
    outcome.write(found, output)
    if json:
        sys.stdout.write(found.text(".json"))
    outcome.conclude(console, found, output)
