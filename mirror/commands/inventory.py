"""sealift inventory: what the registry inside really holds, to be carried out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..progress import report, size
from ..signing import cli as signing
from .options import AuthFile, CaFile, DryRun, Json, PlainHttp, Registry, show


def inventory(
    registry: Registry,
    receipt: Annotated[
        list[Path] | None,
        typer.Option(help="Look for what these receipts name; else for all in the registry's catalog."),
    ] = None,
    ca_file: CaFile = None,
    authfile: AuthFile = None,
    output: Annotated[Path, typer.Option(help="The file to write.")] = Path("inventory.json"),
    sign: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="Sign it with this key of the site; OUTPUT.sig beside it.")
    ] = None,
    passphrase_file: signing.Passphrases = None,
    allow_plain_http: PlainHttp = False,
    dry_run: DryRun = False,
    json_: Json = False,
) -> None:
    """Ask the registry for every blob, and write what it holds: a bundle made since then leaves that out.

    The registry is only read; with --dry-run the file is not written either.

    Example: sealift inventory --registry registry.site:5000 --ca-file ca.pem --receipt site/receipt.json
    """
    from ..inventory_take import take
    from ..receipt import Receipt
    from ..registry import internal

    receipts = [Receipt.read(r) for r in receipt or []]
    with report(events=json_) as progress, internal(ca_file, authfile, plain=allow_plain_http) as inside:
        found = take(registry, inside, receipts, progress)
    if not dry_run:
        found.write(output)
    if sign and not dry_run:
        from ..signing import detached, keys

        secrets = keys.given_passphrases(passphrase_file or [])
        detached.sign(output, [keys.signer(k, secrets) for k in sign])
    where = f"would write {output}" if dry_run else str(output)
    text = f"{where}: {len(found.blobs)} blobs, {size(sum(found.sizes.values()))} in {registry}"
    show(found.data(), text, json_)
