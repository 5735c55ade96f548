"""The command ``sealift``, assembled from the sub-commands that each room brings."""

from __future__ import annotations

import access.cli
import batch.cli
import mirror.cli
import smoke_tests.cli
import testbed.cli

app = mirror.cli.app
app.add_typer(access.cli.app, name="access")
app.add_typer(batch.cli.app)
app.add_typer(smoke_tests.cli.app)
app.add_typer(testbed.cli.app)


def main() -> int:
    """The entry point; returns the exit status (README: exit codes)."""
    return mirror.cli.run(app)
