"""The command ``sealift``, assembled from the sub-commands that each room brings."""

from __future__ import annotations

import sys

import typer

import mirror.cli


def assemble(arguments: list[str]) -> typer.Typer:
    """The commands that ``arguments`` may mean: all, or the one of the mirror's that they begin with."""
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
    return mirror.cli.run(assemble(sys.argv[1:]))
