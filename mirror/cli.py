"""The command of the mirror, assembled from the commands that each have a module."""

from __future__ import annotations

import json
import sys

import typer

from .commands.bundle import app as bundle
from .commands.inventory import inventory
from .commands.licences import licences
from .commands.load import load
from .commands.lock import lock
from .commands.preflight import preflight
from .commands.prune import prune
from .errors import Interrupted, SealiftError
from .exchange.cli import app as exchange
from .nodeconfig.cli import app as nodeconfig
from .signing import cli as signing

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Carries a model-serving platform into a cluster without internet, and proves that it works there.",
)
app.add_typer(bundle, name="bundle")
app.add_typer(nodeconfig, name="nodeconfig")
app.add_typer(exchange)
app.add_typer(signing.key_app, name="key")
app.add_typer(signing.trust_app, name="trust")
for command in (lock, licences, load, inventory, prune, preflight):
    app.command(command.__name__)(command)


def run(command: typer.Typer, arguments: list[str] | None = None) -> int:
    """Run ``command``; an error that a person can act on is printed, without a traceback, and gives the exit code.

    With ``--json`` it is one JSON object on standard output: error, given, why, instead.
    """
    given = sys.argv[1:] if arguments is None else arguments
    try:
        command(args=given, prog_name="sealift")
    except SealiftError as e:
        return _report(e, given)
    except SystemExit as e:
        if e.code == Interrupted.exit_code:  # What typer makes of Ctrl-C.
            instead = "Run the same command again: it goes on from where it was."
            return _report(Interrupted("interrupted", "Ctrl-C", instead), given)
        return e.code if isinstance(e.code, int) else 1
    return 0


def _report(e: SealiftError, given: list[str]) -> int:
    if "--json" in given:
        print(json.dumps({"error": type(e).__name__, "given": e.given, "why": e.why, "instead": e.instead}))
    else:
        print(f"{e.given}\n  why: {e.why}\n  instead: {e.instead}", file=sys.stderr)
    return e.exit_code
