"""Options that several commands have, and how commands print."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import BadInput

SourceMapFile = Annotated[
    Path | None,
    typer.Option(
        "--source-map",
        help="YAML: host: scheme://host/path for mirrors, image: docker-archive:app.tar for what is in no registry.",
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would be done, with bytes, and do nothing.")]
Json = Annotated[
    bool, typer.Option("--json", help="Print JSON on standard output, and progress as JSON lines on standard error.")
]
LockFile = Annotated[Path, typer.Option("--lock", help="The lock to carry.")]
BundlePath = Annotated[Path, typer.Argument(metavar="BUNDLE", help="The bundle's directory.")]
Registry = Annotated[str, typer.Option(metavar="HOST[:PORT][/PREFIX]", help="The internal registry.")]
CaFile = Annotated[Path | None, typer.Option(help="PEM of the authority that signed the registry's certificate.")]
AuthFile = Annotated[Path | None, typer.Option(help="Credentials, in the form of ~/.docker/config.json.")]
PlainHttp = Annotated[
    bool,
    typer.Option(
        "--allow-plain-http", help="Talk to the registry without TLS: anybody on the way reads and changes it."
    ),
]
ModelDirectories = Annotated[
    list[str] | None, typer.Option("--model-directory", metavar="NAME=PATH", help="Where a directory's model lies.")
]
WheelFile = Annotated[
    Path | None, typer.Option("--wheel", metavar="FILE", help="The project's own wheel, where no index has it.")
]

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}


def parse_bytes(text: str | None) -> int | None:
    """``700M``, ``4G``, ``2Gi`` or plain bytes; raises BadInput."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d+)\s*([kmg]?i?)b?", text.strip().lower())
    if not found or found[2] not in _UNITS:
        raise BadInput(f"size {text!r}", "it is no number of bytes", "Give a size such as 700M, 4G or 2Gi.")
    return int(found[1]) * _UNITS[found[2]]


def model_directories(given: list[str] | None) -> dict[str, Path]:
    """The directories of --model-directory by model; raises BadInput."""
    pairs = [g.partition("=") for g in given or []]
    if wrong := [g for g, (_, equals, _) in zip(given or [], pairs, strict=True) if not equals]:
        raise BadInput(wrong[0], "it is not NAME=PATH", "Give --model-directory NAME=PATH.")
    return {name: Path(path) for name, _, path in pairs}


def readable(path: Path | None) -> None:
    """Raise BadInput unless ``path`` is a file, or is not given."""
    if path and not path.is_file():
        raise BadInput(str(path), "no such file", "Give a readable file.")


def show(data: Any, text: str, as_json: bool) -> None:  # noqa: ANN401 - whatever JSON can say
    """Print a command's result."""
    print(json.dumps(data, indent=2) if as_json else text)
