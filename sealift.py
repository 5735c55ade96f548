"""The command ``sealift``, assembled from the sub-commands that each room brings."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import typer

FEW = 100_000
"""Objects made between two collections of garbage. A start makes twice as many and drops none, so that to look through
them all again and again, as Python does every 700, takes a tenth of a quick command's time."""


def assemble(arguments: list[str]) -> typer.Typer:
    """The commands that ``arguments`` may mean: all, or the one of the mirror's that they begin with."""
    import mirror.cli

    first = arguments[0] if arguments else ""
    if first in mirror.cli.COMMANDS:
        return mirror.cli.assemble(first)
    import access.cli
    import batch.cli
    import smoke_tests.cli
    import testbed.cli

    made = mirror.cli.assemble()
    made.add_typer(access.cli.app, name="access")
    made.add_typer(batch.cli.app)
    made.add_typer(smoke_tests.cli.app)
    made.add_typer(testbed.cli.app)
    return made


def main() -> int:
    """The entry point; returns the exit status (README: exit codes)."""
    gc.set_threshold(FEW)
    from mirror import cli, interruption

    return interruption.leave(cli.run(assemble(sys.argv[1:])))
