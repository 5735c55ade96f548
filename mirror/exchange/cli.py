"""``sealift export`` and ``sealift import``: thin."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Annotated

import typer

from ..atomic import write_atomically
from ..errors import BadInput
from ..lock import Lock

app = typer.Typer()

DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would be written, and write nothing.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output and nothing else.")]


@app.command("export")
def export(
    format_: Annotated[str, typer.Argument(metavar="FORMAT", help="hauler, zarf or oc-mirror.")],
    lock: Annotated[Path, typer.Option(help="The lock to export.")] = Path("sealift.lock"),
    output: Annotated[Path, typer.Option(help="The directory to write.")] = Path("export"),
    dry_run: DryRun = False,
    json_: Json = False,
) -> None:
    """Write a lock as another tool's configuration, every image by digest; says what that tool cannot carry.

    Example: sealift export hauler --lock sealift.lock --output export
    """
    from . import outward

    made = outward.export(Lock.read(lock), _known(format_, outward.FORMATS))
    for name, text in made.files.items() if not dry_run else ():
        write_atomically(output / name, text)
    written = [str(output / n) for n in made.files]
    _said(made.left)
    print(
        json.dumps({"files": written, "left": made.left}, indent=2)
        if json_
        else "\n".join(f"would write {w}" if dry_run else w for w in written)
    )


@app.command("import")
def import_(
    format_: Annotated[str, typer.Argument(metavar="FORMAT", help="list, hauler, zarf or oc-mirror.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The other tool's file, or a list of images.")],
    output: Annotated[Path, typer.Option(help="The file of a catalog to write; must not exist.")] = Path(
        "catalog/imported.yaml"
    ),
    dry_run: DryRun = False,
    json_: Json = False,
) -> None:
    """Begin a catalog with what another tool's configuration names; licences and reasons are then for people to say.

    Example: sealift import list images.txt --output catalog/imported.yaml
    """
    from . import inward

    if output.exists():
        raise BadInput(str(output), "it exists", "Give another --output.")
    made = inward.read(file, _known(format_, inward.FORMATS))
    if not dry_run:
        write_atomically(output, inward.text(made.catalog))
    _said(made.left)
    where = f"would write {output}" if dry_run else str(output)
    summary = f"{where}: {len(made.catalog.parts)} parts; give each its licence and reason before locking"
    print(
        json.dumps({"file": str(output), "parts": [p.name for p in made.catalog.parts], "left": made.left}, indent=2)
        if json_
        else summary
    )


def _known(format_: str, formats: Collection[str]) -> str:
    if format_ not in formats:
        raise BadInput(f"format {format_}", "not known here", f"Give one of {', '.join(formats)}.")
    return format_


def _said(left: list[str]) -> None:
    for line in left:
        print(f"left behind: {line}", file=sys.stderr)
