"""sealift bundle: make, verify, repair, show and compare what crosses the gap."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..interruption import resumable
from ..progress import report, size
from ..signing import cli as signing
from .options import (
    BundlePath,
    DryRun,
    Json,
    LockFile,
    ModelDirectories,
    SourceMapFile,
    WheelFile,
    model_directories,
    parse_bytes,
    readable,
    show,
)

if TYPE_CHECKING:
    from ..bundle import Bundle
    from ..bundle_create import Order

app = typer.Typer(no_args_is_help=True, help="Make, check and read bundles: what crosses the gap.")
app.command("sign")(signing.sign)

PartSize = Annotated[
    str | None,
    typer.Option(metavar="SIZE", help="Cut the bundle into numbered parts of this size, such as 4G or 700M."),
]
SinceFile = Annotated[
    Path | None,
    typer.Option("--since", metavar="INVENTORY", help="Leave out what this inventory says is there already."),
]


@app.command("create")
def create(
    lock: LockFile = Path("sealift.lock"),
    source_map: SourceMapFile = None,
    output: Annotated[Path, typer.Option(help="The directory to make.")] = Path("bundle"),
    part_size: PartSize = None,
    since: SinceFile = None,
    since_key: signing.InventoryKeys = None,
    model_directory: ModelDirectories = None,
    wheel: WheelFile = None,
    sign: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="Sign it with this release key, once it is whole.")
    ] = None,
    roots: signing.Roots = Path("roots"),
    passphrase_file: signing.Passphrases = None,
    dry_run: DryRun = False,
    json_: Json = False,
) -> None:
    """Bring everything that the lock names into one directory; run again, it continues.

    Example: sealift bundle create --lock sealift.lock --output bundle

    Example: sealift bundle create --part-size 4G --output bundle    (for media of 4 GB)

    Example: sealift bundle create --since inventory.json --output delta    (only what the other side lacks)

    Example: sealift bundle create --dry-run    (what, how many bytes, and whether they fit)
    """
    from datetime import date

    from .. import licence_gate
    from ..bundle_create import create

    order = _order(lock, output, source_map, model_directory, part_size, since, since_key, wheel)
    if dry_run:
        _dry_run(order, json_)
        return
    licence_gate.require_unexpired(order.lock, date.today())
    with resumable(f"what arrived stays in {order.partial}"), report(events=json_) as progress:
        made = create(order, progress)
    if sign:
        with resumable(f"{output} is whole, and not signed"):
            signing.sign_whole(output, sign, roots, passphrase_file)
    show(made.contents.data(), "\n".join([summary(made, "made"), *signing.told(output)]), json_)


@app.command("verify")
def verify(
    bundle: BundlePath,
    lock: Annotated[
        Path | None, typer.Option(help="The lock that was reviewed: a bundle of any other is refused.")
    ] = None,
    root: signing.RootFile = None,
    trust: signing.TrustOption = None,
    request: Annotated[
        Path | None, typer.Option(help="Write what is missing or damaged there, for `sealift bundle repair`.")
    ] = None,
    json_: Json = False,
) -> None:
    """Read every byte of a bundle and compare it with its lock; needs no network. Names all that is missing or damaged.

    With --root or --trust, who signed it is verified first; without, nothing says who made it.

    Example: sealift bundle verify /media/courier/bundle --lock reviewed/sealift.lock --trust trust

    Example: sealift bundle verify /media/courier/bundle --request repair.json
    """
    from ..bundle_bytes import NotWhole
    from ..bundle_verify import verify
    from ..repair_request import RepairRequest

    readable(lock)
    signed = signing.verified(bundle, root, trust) if root or trust else None
    try:
        with report(events=json_) as progress:
            checked = verify(bundle, progress, lock)
    except NotWhole as e:
        if request:
            RepairRequest.of(e).write(request)
        raise
    data = {"whole": True, "lock_sha256": checked.contents.lock_sha256, "signed": signed and signed.version}
    show(data, f"{summary(checked, 'whole')}, {signing.summary(signed)}", json_)


@app.command("repair")
def repair(
    request: Annotated[Path, typer.Option(help="What `sealift bundle verify --request` wrote on the other side.")],
    lock: LockFile = Path("sealift.lock"),
    source_map: SourceMapFile = None,
    output: Annotated[Path, typer.Option(help="The directory to write the files into.")] = Path("repair"),
    since: SinceFile = None,
    since_key: signing.InventoryKeys = None,
    model_directory: ModelDirectories = None,
    wheel: WheelFile = None,
    dry_run: DryRun = False,
    json_: Json = False,
) -> None:
    """Make those files of a bundle again that did not arrive, byte for byte, and no others.

    Only what lies in them is fetched from upstream. They are then copied over the bundle on the other side.

    Example: sealift bundle repair --request repair.json --lock sealift.lock --output repair
    """
    from ..bundle_create import describe
    from ..bundle_repair import look, repair
    from ..repair_request import RepairRequest

    order = _order(lock, output, source_map, model_directory, None, since, since_key, wheel)
    if dry_run:
        wanted = RepairRequest.read(request)
        before = look(wanted, order)
        data = {"files": [str(output / f) for f in wanted.files], **before._asdict()}
        show(data, "\n".join([*data["files"], f"{len(wanted.files)} files; {describe(before)}"]), json_)
        return
    with report(events=json_) as progress:
        made = repair(RepairRequest.read(request), order, progress)
    show({"files": [str(p) for p in made]}, "\n".join(str(p) for p in made), json_)


@app.command("show")
def show_bundle(bundle: BundlePath, json_: Json = False) -> None:
    """List what a bundle carries, without reading its blobs.

    Example: sealift bundle show bundle
    """
    from ..bundle import Bundle

    opened = Bundle.open(bundle)
    rows = [f"{e.kind:9}{size(e.size):>10}  {e.reference}@{e.digest}" for e in opened.contents.entries]
    show(opened.contents.data(), "\n".join([*rows, summary(opened, "whole")]), json_)


@app.command("diff")
def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="A bundle, or a lock.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="A bundle, or a lock.")],
    json_: Json = False,
) -> None:
    """Show what comes, goes and changes between two bundles or locks: images, sizes, licences, models, CRDs.

    CRDs are compared where both are bundles, as a lock does not hold them.

    Example: sealift bundle diff bundle-3 bundle-4
    """
    from ..bundle_diff import between

    found = between(old, new)
    show(found.data(), "\n".join(found.lines()), json_)


def summary(bundle: Bundle, what: str) -> str:
    """A bundle in one line."""
    return f"{bundle.layout.path}: {what}, {len(bundle.contents.entries)} entries, lock {bundle.contents.lock_sha256}"


def _order(
    lock: Path,
    output: Path,
    source_map: Path | None,
    model_directory: list[str] | None,
    part_size: str | None,
    since: Path | None,
    since_key: list[Path] | None,
    wheel: Path | None,
) -> Order:
    from ..bundle_create import Order
    from ..skopeo_source import sources
    from ..source_map import SourceMap

    mapped = SourceMap.read_optional(source_map)
    return Order(
        lock,
        output,
        sources(mapped),
        mapped,
        model_directories(model_directory),
        parse_bytes(part_size),
        signing.inventory(since, since_key) if since else None,
        wheel=wheel,
    )


def _dry_run(order: Order, as_json: bool) -> None:
    from ..bundle_create import describe, look

    carried, before, rate = look(order)
    rows = [{"kind": k, "reference": r, "size": s} for k, r, s in carried.plan.lines()]
    table = [
        f"{r['kind']:9}{size(r['size']) if isinstance(r['size'], int) else '?':>10}  {r['reference']}" for r in rows
    ]
    data = {"entries": rows, **before._asdict(), "rate": rate and round(rate)}
    show(data, "\n".join([*table, f"{len(rows)} entries; {describe(before, rate)}"]), as_json)
