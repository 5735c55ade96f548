"""The options that the commands about signatures share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

DAYS = 90
"""How long a bundle's signatures hold unless something else is said: long enough to carry it, short enough to ask."""

KeyFiles = Annotated[list[str], typer.Option("--key", metavar="KEY", help="Signs: a key file, or a pkcs11: URI.")]
Passphrases = Annotated[
    list[Path] | None,
    typer.Option("--passphrase-file", help="Holds a key file's passphrase; else $SEALIFT_KEY_PASSPHRASE does."),
]
Roots = Annotated[Path, typer.Option("--roots", help="The directory of the chain of roots.")]
RootFile = Annotated[
    Path | None, typer.Option(help="Verify against this root alone; nothing that was accepted before is known.")
]
TrustOption = Annotated[
    Path | None,
    typer.Option(metavar="DIRECTORY", help="What this site trusts and accepted before (sealift trust init)."),
]
TrustDirectory = Annotated[Path, typer.Option("--trust", help="The directory of what this site trusts.")]
Days = Annotated[int, typer.Option(help="Days until what is signed expires.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output and nothing else.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would be written, and write nothing.")]
InventoryKeys = Annotated[
    list[Path] | None,
    typer.Option(
        "--since-key", metavar="KEY", help="Must have signed the inventory: a .pub file; one of them is enough."
    ),
]


def show(data: Any, text: str, as_json: bool) -> None:  # noqa: ANN401 - whatever JSON can say
    """Print ``data`` as JSON, or ``text`` for people."""
    print(json.dumps(data, indent=2) if as_json else text)
