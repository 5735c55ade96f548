"""Taking an inventory: the registry is asked for every blob, receipts and its catalog only say where to look."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from .errors import Damaged, NotUpstream
from .inventory import HeldBlob, HeldFile, Inventory
from .layout import INDEXES, MANIFESTS, TITLE, Descriptor, links
from .model_image import FILE_SHA256
from .parallel import each
from .progress import Report
from .receipt import Receipt
from .reference import Reference
from .registry import Internal

ASKERS = 8
Place = tuple[str, Descriptor]
"""A repository, and a blob as a manifest there names it."""


@dataclass(frozen=True)
class Held:
    """What the registry answered about one manifest: its blobs that are there."""

    repository: str
    blobs: list[Descriptor]


def take(registry: str, internal: Internal, receipts: Sequence[Receipt], report: Report) -> Inventory:
    """What ``registry`` holds of what ``receipts`` name, or without receipts of everything in its catalog.

    Raises RegistryRefused. A manifest or blob that is named and is not there is not in the inventory.
    """
    named = _of_receipts(receipts) if receipts else _of_catalog(registry, internal)
    report.say(f"{len(named)} images and artifacts are looked for")
    found = [h for h in each(lambda r: _look(internal, r), named, ASKERS) if h]
    wanted = _by_digest(found)
    host = registry.partition("/")[0]
    holders = each(lambda places: _holder(internal, host, places), wanted.values(), ASKERS)
    blobs = {k: held for k, held in zip(wanted, holders, strict=True) if held}
    return Inventory(
        registry=registry,
        at=datetime.now(UTC).replace(microsecond=0),
        blobs=blobs,
        files=sorted(filter(None, (_file(wanted[k]) for k in blobs)), key=lambda f: (f.name, f.sha256, f.layer)),
    )


def _by_digest(found: Iterable[Held]) -> dict[str, list[Place]]:
    """Where each blob is named, by its digest, sorted."""
    places: dict[str, dict[str, Descriptor]] = {}
    for h in found:
        for d in h.blobs:
            places.setdefault(d.digest, {})[h.repository] = d
    return {k: sorted(places[k].items(), key=lambda p: p[0]) for k in sorted(places)}


def _holder(internal: Internal, host: str, places: Sequence[Place]) -> HeldBlob | None:
    """The first repository of ``places`` that has the blob: one is enough for all, as the others can mount it."""
    for repository, d in places:
        if internal.has_blob(Reference(host, repository), d):
            return HeldBlob(size=d.size, repository=repository)
    return None


def _file(places: Sequence[Place]) -> HeldFile | None:
    """The model's file that the blob is, where a manifest says that it is one."""
    for _, d in places:
        if (sha256 := d.annotations.get(FILE_SHA256)) and (name := d.annotations.get(TITLE)):
            return HeldFile(name=name, sha256=sha256, layer=d.digest)
    return None


def _of_receipts(receipts: Iterable[Receipt]) -> list[Reference]:
    return sorted({Reference.parse(n) for r in receipts for n in r.mirrored_names})


def _of_catalog(registry: str, internal: Internal) -> list[Reference]:
    host, _, prefix = registry.partition("/")
    repositories = [n for n in internal.repositories(host) if not prefix or n.startswith(f"{prefix}/")]
    tagged = each(lambda n: [Reference(host, n, t) for t in internal.tags(Reference(host, n))], repositories, ASKERS)
    return [r for found in tagged for r in found]


def _look(internal: Internal, reference: Reference) -> Held | None:
    """The blobs below ``reference``; what cannot be read is as if it were not there."""
    try:
        return Held(reference.repository, _below(internal, reference, internal.raw_manifest(reference)))
    except (NotUpstream, Damaged):
        return None


def _below(internal: Internal, reference: Reference, manifest: bytes) -> list[Descriptor]:
    found: list[Descriptor] = []
    for d in links(manifest, str(reference)):
        if d.media_type in INDEXES | MANIFESTS:
            child = internal.raw_manifest(Reference(reference.registry, reference.repository, None, d.digest))
            found += _below(internal, reference, child)
        else:
            found.append(d)
    return found
