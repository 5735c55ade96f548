"""``sealift rehearse`` and ``sealift tools``: one machine as an air-gapped site."""

from __future__ import annotations

import signal
import sys
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console

from mirror.errors import SealiftError

from .rehearsal.timeline import Timeline
from .scan.cli import app as scan_app

app = typer.Typer()
app.add_typer(scan_app)


class UpstreamKind(StrEnum):
    """Where the packer's side of a rehearsal reads from."""

    LOCAL = "local"
    PUBLIC = "public"


@app.command()
def rehearse(
    stack: Annotated[list[str] | None, typer.Option(help="A stack of stacks/; several run one after another.")] = None,
    upstream: Annotated[
        UpstreamKind, typer.Option(help="local: servers of this machine stand where the public ones are.")
    ] = UpstreamKind.LOCAL,
    work: Annotated[Path, typer.Option(help="Where the bundle, the site and the evidence go.")] = Path("rehearsal"),
    keep: Annotated[bool, typer.Option("--keep", help="Leave cluster and stack up at the end, to look at.")] = False,
    up_only: Annotated[
        bool, typer.Option("--up-only", help="Prove nothing: end when the first stack is up, and leave it up.")
    ] = False,
    down: Annotated[
        bool, typer.Option("--down", help="Only end what --keep or --up-only, or a run that was killed, left running.")
    ] = False,
) -> None:
    """Bring bundle and stack up on this machine with egress denied, and prove that it serves. Needs root.

    Example: sealift rehearse --stack dev

    Example: sealift rehearse --stack dev --stack prod --work /var/tmp/rehearsal

    Example: sealift rehearse --stack dev --up-only

    Example: sealift rehearse --down
    """
    from .node import Site
    from .rehearsal.run import Rehearsal

    if down:
        print("it is down; files stay" if Site.take_down() else "nothing was up")
        return

    signal.signal(signal.SIGTERM, _interrupt)
    console = Console(highlight=False, soft_wrap=True)
    timeline = Timeline(console)
    try:
        rehearsal = Rehearsal(work.absolute(), stack or ["dev"], upstream.value, timeline, keep=keep, up_only=up_only)
        rehearsal.run()
    except SealiftError:
        console.print(f"\n[bold red]REHEARSAL FAILED[/] after {timeline.seconds:.0f} s")
        raise
    if up_only:
        console.print(f"\nUP in {timeline.seconds:.0f} s, nothing proven; its files: {work / 'site'}")
        return
    console.print(f"\n[bold green]REHEARSAL PASSED[/] in {timeline.seconds:.0f} s; evidence: {work / 'evidence'}")


@app.command()
def tools() -> None:
    """Build the programs that a rehearsal needs from their Go modules, into the cache; nothing when they are there.

    Example: sealift tools
    """
    from .toolchain import programs, scanners
    from .toolchain.cache import cache_directory

    timeline = Timeline(Console(highlight=False, soft_wrap=True))
    with timeline.step("programs"):
        programs.ensure(cache_directory(), timeline.report)
    with timeline.step("scanners"):
        scanners.ensure(cache_directory(), timeline.report)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    """SIGTERM ends a rehearsal as Ctrl-C does: everything is taken down."""
    sys.exit(143)
