"""Verifying a bundle without a network: every byte is read, and all that is there is what the lock says."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from .bundle import Bundle, Plan, lock_sha256
from .bundle_bytes import AGAIN, NotWhole, Wrong, check_blobs, check_parts, nothing_extra, reached
from .bundle_plan import Weights
from .bundle_write import LAST, small_files
from .errors import Damaged
from .evidence.judge import Judge, require, verdicts
from .evidence.reader import FromLayout
from .layout import BUNDLE, LOCK, PARTS_LIST, Descriptor, digest, links
from .lock import LockedFile
from .model_image import compose
from .parts import Parted, blob_path
from .progress import Report
from .tar_stream import StreamFile


def verify(path: Path, report: Report, reviewed: Path | None = None) -> Bundle:
    """Check the bundle at ``path``; raises NotWhole (what is missing or damaged), Damaged, BadInput (no bundle).

    ``reviewed`` is the lock that was reviewed: a bundle of another one is Damaged. Without it nothing says who made
    the bundle and from which lock.
    """
    bundle = Bundle.open(path)
    if reviewed and lock_sha256(reviewed) != bundle.contents.lock_sha256:
        raise Damaged(str(path / LOCK), f"it is not {reviewed}", "Ask for the bundle of the lock that was reviewed.")
    _entries_are_the_locks(bundle)
    if isinstance(bundle.layout, Parted):
        check_parts(bundle, bundle.layout, report)
    graph = reached(bundle)
    nothing_extra(bundle, set(graph))
    weights = _models(bundle)
    carried = {k: d for k, d in graph.items() if k not in bundle.omitted}
    if unknown := sorted(bundle.omitted.keys() - graph.keys()):
        raise Damaged(str(path / BUNDLE), f"it leaves out {unknown[0]}, which nothing leads to", AGAIN)
    check_blobs(bundle, carried.values(), weights, report)
    _written_as_create_writes(bundle, carried, weights)
    _signed_upstream(bundle)
    return bundle


def _signed_upstream(bundle: Bundle) -> None:
    """What the lock's rules say of upstream's signatures holds here too; raises Untrusted."""
    if bundle.lock.signature_rules:
        judge = Judge(bundle.lock.signature_rules, bundle.lock.trusted_root)
        require(verdicts(judge, bundle.lock.images, lambda name: name, FromLayout(bundle.layout)))


def _entries_are_the_locks(bundle: Bundle) -> None:
    plan = Plan.of(bundle.lock)
    promised: dict[tuple[str, str], str | None] = {("image", i.reference): i.digest for i in plan.images}
    promised |= {("chart", c.reference): c.digest for c in plan.charts}
    promised |= {("manifest", r.reference): digest(r.manifest) for r in plan.releases}
    promised |= {("model", m.reference): None for m in plan.models}
    promised |= {("evidence", e.reference): e.digest for e in plan.evidence}
    promised |= {("bootstrap", k.reference): digest(k.manifest) for k in plan.kits}
    carried: dict[tuple[str, str], str] = {(e.kind, e.reference): e.digest for e in bundle.contents.entries}
    origin = str(bundle.layout.path / BUNDLE)
    for kind, reference in sorted(promised.keys() ^ carried.keys()):
        why = "is locked and not in it" if (kind, reference) in promised else "is in it and not locked"
        raise Damaged(origin, f"{kind} {reference} {why}", AGAIN)
    for key, locked in promised.items():
        if locked and carried[key] != locked:
            raise Damaged(origin, f"{key[0]} {key[1]} is {carried[key]}, the lock says {locked}", AGAIN)


def _models(bundle: Bundle) -> dict[str, LockedFile]:
    """What each layer of a model must hold, by the layer's digest; raises Damaged when an image is made otherwise."""
    weights: dict[str, LockedFile] = {}
    for model in Plan.of(bundle.lock).models:
        entry = bundle.entry(model.reference)
        path = bundle.layout.blob(entry.digest)
        first = links(bundle.layout.read(entry.digest), str(path))[0]
        layers = links(bundle.layout.read(first.digest), str(bundle.layout.blob(first.digest)))[1:]
        expected = compose(model, bundle.lock.platforms, layers) if len(layers) == len(model.files) else None
        if expected is None or expected.index != bundle.layout.read(entry.digest):
            raise Damaged(str(path), f"it is not the image of model {model.name} as locked", AGAIN)
        weights.update((d.digest, f) for d, f in zip(layers, model.files, strict=True))
    return weights


def _written_as_create_writes(bundle: Bundle, carried: dict[str, Descriptor], weights: dict[str, LockedFile]) -> None:
    """The small files follow from the blobs, byte for byte, so not even a blank of them may differ."""
    layout, entries = bundle.layout, bundle.contents.entries
    made = [(e.kind, e.reference, bundle.descriptor(e)) for e in entries]
    lock_file = (layout.path / LOCK).read_bytes()
    small = small_files(bundle.lock, lock_file, made, layout.read, bundle.contents.since)
    for name, expected in small.items():
        path = layout.path / name
        if not path.is_file() or path.read_bytes() != expected:
            raise NotWhole(bundle, [Wrong(name, "it is not as sealift wrote it")])
    if isinstance(layout, Parted):
        order = _order(bundle, carried, weights)
        files = [*order, *(StreamFile(path=n, size=len(small[n])) for n in LAST if n in small)]
        text = replace(layout.parts, files=files).text(".json")
        if (layout.path / PARTS_LIST).read_text() != text:
            raise Damaged(str(layout.path / PARTS_LIST), "it is not as sealift wrote it", AGAIN)


def _order(bundle: Bundle, carried: dict[str, Descriptor], weights: dict[str, LockedFile]) -> list[StreamFile]:
    """The blobs as they must stand in the stream (see bundle_plan): what upstream names, layers, what follows them."""
    models = {e.digest for e in bundle.contents.entries if e.kind == "model"}
    others = _below(bundle, {e.digest for e in bundle.contents.entries} - models)
    first = sorted(k for k in carried if k in others)
    kept = {Weights(m, f).key: f for m in Plan.of(bundle.lock).models for f in m.files}
    layers = {Weights.key_of(f): k for k, f in weights.items() if k in carried}
    middle = [layers[w] for w in sorted(kept, key=lambda w: (kept[w].name, kept[w].sha256)) if w in layers]
    last = sorted(k for k in carried if k not in others and k not in weights)
    return [StreamFile(path=blob_path(k), size=carried[k].size) for k in [*first, *middle, *last]]


def _below(bundle: Bundle, tops: set[str]) -> set[str]:
    entries = [e for e in bundle.contents.entries if e.digest in tops]
    return {d.digest for e in entries for d in bundle.layout.walk(bundle.descriptor(e))}
