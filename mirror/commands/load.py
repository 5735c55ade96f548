"""sealift load: into the internal registry."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..interruption import resumable
from ..progress import report, size
from ..signing import cli as signing
from .options import AuthFile, BundlePath, CaFile, DryRun, Json, PlainHttp, Registry, show


def load(
    bundle: BundlePath,
    registry: Registry,
    ca_file: CaFile = None,
    authfile: AuthFile = None,
    output: Annotated[Path, typer.Option(help="The site directory: receipt.json and the parts' content.")] = Path(
        "site"
    ),
    root: signing.RootFile = None,
    trust: signing.TrustOption = None,
    accept_unsigned_bundle: Annotated[
        bool, typer.Option(help="Load what nobody vouches for: a courier may have changed it.")
    ] = False,
    allow_plain_http: PlainHttp = False,
    dry_run: DryRun = False,
    json_: Json = False,
) -> None:
    """Send a bundle into the internal registry, ask the registry for every digest, and write the receipt.

    A bundle that is not signed by those whom this site trusts is refused before anything is sent. What failed to
    arrive stands in the receipt as missing; run again, only that is sent.

    Example: sealift load bundle --registry registry.site:5000 --ca-file ca.pem --trust trust --output site
    """
    from .. import unchanged
    from ..registry import internal

    if not accept_unsigned_bundle:
        signing.verified(bundle, root, trust, accept=not dry_run)
    with (
        resumable(f"what arrived stays in {registry}, and no receipt says so yet"),
        report(events=json_) as progress,
        internal(ca_file, authfile, plain=allow_plain_http) as inside,
    ):
        asked = unchanged.asked(bundle, registry, inside)
        found = None if dry_run else unchanged.standing(bundle, registry, output)
        if found and asked and asked.result() >= found.targets:
            progress.say(f"{len(found.targets)} of {len(found.targets)} are there already")
            show(found.receipt, _summary(found.receipt, output), json_)
            return
        from .. import load as loading  # With what reads locks: the larger half of the time of a load of nothing new.
        from ..bundle import Bundle

        opened = Bundle.open(bundle)
        if dry_run:
            deliveries = loading.plan(opened, registry)
            there = loading.present(deliveries, inside, asked)
            loading.left_out(opened, registry, inside, [d for d in deliveries if d.target not in there])
            rows = [{"target": str(d.target), "size": d.entry.size, "there": d.target in there} for d in deliveries]
            lines = [
                f"{'there' if d.target in there else 'send':6}{size(d.entry.size):>10}  {d.target}" for d in deliveries
            ]
            show({"entries": rows}, "\n".join(lines), json_)
            return
        received = loading.load(opened, registry, inside, output, progress, asked)
    if refused := loading.refused(received):
        raise refused
    written = received.data()
    show(written, _summary(written, output), json_)


def _summary(receipt: dict[str, Any], site: Path) -> str:
    counts = ", ".join(f"{len(receipt[what])} {what}" for what in ("images", "models", "parts"))
    return f"{counts} in {receipt['registry']}; receipt in {site}"
