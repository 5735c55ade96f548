"""The command of the mirror, assembled from commands that each have a module, which is imported when it is needed."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import Annotated

import typer

from .commands.plain import PlainCommand, PlainGroup, plain
from .errors import Interrupted, SealiftError
from .interruption import interrupted, listening

COMMANDS = {
    "lock": "mirror.commands.lock:lock",
    "licences": "mirror.commands.licences:licences",
    "bundle": "mirror.commands.bundle:app",
    "load": "mirror.commands.load:load",
    "inventory": "mirror.commands.inventory:inventory",
    "prune": "mirror.commands.prune:prune",
    "nodeconfig": "mirror.nodeconfig.cli:app",
    "key": "mirror.signing.key_cli:app",
    "trust": "mirror.signing.cli:trust_app",
    "preflight": "mirror.commands.preflight:preflight",
}
"""Name of each command -> its module and what in it: a function, or a group of commands."""

WHATEVER = "whatever was finished stays"
"""What is said of commands that do not know better."""


def assemble(only: str | None = None) -> typer.Typer:
    """All commands of the mirror, or ``only`` the one of that name: half of a quick command's time is the others'."""
    made = typer.Typer(
        cls=PlainGroup,
        no_args_is_help=True,
        invoke_without_command=True,
        pretty_exceptions_enable=False,
        add_completion=only is None,
        help="Carries a model-serving platform into a cluster without internet, and proves that it works there.",
    )
    made.callback()(_first)  # Also: with one command alone typer would take its name for an argument.
    for name, place in COMMANDS.items():
        if only in (None, name):
            module, _, attribute = place.partition(":")
            found = getattr(import_module(module), attribute)
            if isinstance(found, typer.Typer):
                made.add_typer(plain(found), name=name, cls=PlainGroup)
            else:
                made.command(name, cls=PlainCommand)(found)
    if only is None:
        made.add_typer(import_module("mirror.exchange.cli").app)
    return made


def _first(
    version: Annotated[bool, typer.Option("--version", is_eager=True, help="Say the version and end.")] = False,
) -> None:
    if version:
        from importlib.metadata import version as version_of

        print(version_of("sealift"))
        raise typer.Exit


def __getattr__(name: str) -> typer.Typer:
    """``app``: all commands, assembled when somebody asks."""
    if name == "app":
        return assemble()
    raise AttributeError(name)


def run(command: typer.Typer, arguments: list[str] | None = None) -> int:
    """Run ``command``; an error that a person can act on is printed, without a traceback, and gives the exit code.

    Ctrl-C and SIGTERM are such errors, of one line.

    With ``--json`` it is one JSON object on standard output: error, given, why, instead.
    """
    given = sys.argv[1:] if arguments is None else arguments
    try:
        with listening():
            command(args=given, prog_name="sealift")
    except SealiftError as e:
        return _report(e, given)
    except KeyboardInterrupt:
        return _report(interrupted(WHATEVER), given)
    except SystemExit as e:
        if e.code == Interrupted.exit_code:  # What typer makes of KeyboardInterrupt.
            return _report(interrupted(WHATEVER), given)
        return e.code if isinstance(e.code, int) else 1
    return 0


def _report(e: SealiftError, given: list[str]) -> int:
    if "--json" in given:
        print(json.dumps({"error": type(e).__name__, "given": e.given, "why": e.why, "instead": e.instead}))
    elif isinstance(e, Interrupted):
        print(f"{e.given}: {e.why}; {e.instead}", file=sys.stderr)
    else:
        print(f"{e.given}\n  why: {e.why}\n  instead: {e.instead}", file=sys.stderr)
    return e.exit_code
