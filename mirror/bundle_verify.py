"""Verifying a bundle without a network: every byte is read, and all that is there is what the lock says."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import sbom
from .bundle import Bundle, Contents, Plan, describe, lock_sha256
from .errors import Damaged
from .evidence.judge import Judge, require, verdicts
from .evidence.reader import FromLayout
from .layout import (
    BLOBS,
    BUNDLE,
    INDEX,
    LOCK,
    METADATA,
    OCI_LAYOUT,
    OCI_LAYOUT_TEXT,
    SBOM,
    TOP,
    Descriptor,
    index_text,
    links,
)
from .lock import LockedFile
from .model_image import check_layer, compose
from .progress import Report
from .release import Release

AGAIN = "Carry the bundle again, or make it again."


def verify(path: Path, report: Report, reviewed: Path | None = None) -> Bundle:
    """Check the bundle at ``path``; raises Damaged naming the first file that is wrong, BadInput when it is no bundle.

    ``reviewed`` is the lock that was reviewed: a bundle of another one is Damaged. Without it nothing says who made
    the bundle and from which lock.
    """
    bundle = Bundle.open(path)
    if reviewed and lock_sha256(reviewed) != bundle.contents.lock_sha256:
        raise Damaged(str(path / LOCK), f"it is not {reviewed}", "Ask for the bundle of the lock that was reviewed.")
    _entries_are_the_locks(bundle)
    graph = {d.digest: d for e in bundle.contents.entries for d in bundle.layout.walk(bundle.descriptor(e))}
    _nothing_extra(bundle, set(graph))
    weights = _models(bundle)
    report.begin("bundle verify", sum(d.size for d in graph.values()))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for done in pool.map(lambda d: _blob(bundle, d, weights.get(d.digest)), graph.values()):
            report.advance(done)
    _written_as_create_writes(bundle)
    _signed_upstream(bundle)
    return bundle


def _signed_upstream(bundle: Bundle) -> None:
    """What the lock's rules say of upstream's signatures holds here too; raises Untrusted."""
    if bundle.lock.signature_rules:
        judge = Judge(bundle.lock.signature_rules, bundle.lock.trusted_root)
        require(verdicts(judge, bundle.lock.images, lambda name: name, FromLayout(bundle.layout)))


def _blob(bundle: Bundle, d: Descriptor, file: LockedFile | None) -> int:
    path = bundle.layout.blob(d.digest)
    actual = path.stat().st_size if path.is_file() else None
    if actual != d.size:
        raise Damaged(str(path), "missing" if actual is None else f"it has {actual} bytes of {d.size}", AGAIN)
    if file:
        found = check_layer(path, file)
    else:
        with path.open("rb") as f:
            found = f"sha256:{hashlib.file_digest(f, 'sha256').hexdigest()}"
    if found != d.digest:
        raise Damaged(str(path), f"its content is {found}", AGAIN)
    return d.size


def _entries_are_the_locks(bundle: Bundle) -> None:
    plan = Plan.of(bundle.lock)
    promised: dict[tuple[str, str], str | None] = {("image", i.reference): i.digest for i in plan.images}
    promised |= {("chart", c.reference): c.digest for c in plan.charts}
    promised |= {("manifest", r.reference): _artifact(r) for r in plan.releases}
    promised |= {("model", m.reference): None for m in plan.models}
    promised |= {("evidence", e.reference): e.digest for e in plan.evidence}
    carried: dict[tuple[str, str], str] = {(e.kind, e.reference): e.digest for e in bundle.contents.entries}
    origin = str(bundle.layout.path / BUNDLE)
    for kind, reference in sorted(promised.keys() ^ carried.keys()):
        why = "is locked and not in it" if (kind, reference) in promised else "is in it and not locked"
        raise Damaged(origin, f"{kind} {reference} {why}", AGAIN)
    for key, digest in promised.items():
        if digest and carried[key] != digest:
            raise Damaged(origin, f"{key[0]} {key[1]} is {carried[key]}, the lock says {digest}", AGAIN)


def _artifact(release: Release) -> str:
    return f"sha256:{hashlib.sha256(release.manifest).hexdigest()}"


def _nothing_extra(bundle: Bundle, reachable: set[str]) -> None:
    for path in _files(bundle.layout.path):
        inside = path.relative_to(bundle.layout.path)
        if str(inside) in TOP or inside.parts[0] == METADATA:  # Signatures are verified apart, against a pinned root.
            continue
        if inside.parts[0] != BLOBS or ":".join(inside.parts[1:]) not in reachable or path.is_symlink():
            raise Damaged(str(path), "nothing in the lock leads to this file", "Remove it, or carry the bundle again.")


def _files(directory: Path) -> Iterator[Path]:
    for root, _, names in os.walk(directory):
        yield from (Path(root) / n for n in sorted(names))


def _models(bundle: Bundle) -> dict[str, LockedFile]:
    """What each layer of a model must hold, by the layer's digest; raises Damaged when an image is made otherwise."""
    weights: dict[str, LockedFile] = {}
    for model in bundle.lock.models:
        entry = bundle.entry(model.reference)
        path = bundle.layout.blob(entry.digest)
        first = links(bundle.layout.read(entry.digest), str(path))[0]
        layers = links(bundle.layout.read(first.digest), str(bundle.layout.blob(first.digest)))[1:]
        expected = compose(model, bundle.lock.platforms, layers) if len(layers) == len(model.files) else None
        if expected is None or expected.index != bundle.layout.read(entry.digest):
            raise Damaged(str(path), f"it is not the image of model {model.name} as locked", AGAIN)
        weights.update((d.digest, f) for d, f in zip(layers, model.files, strict=True))
    return weights


def _written_as_create_writes(bundle: Bundle) -> None:
    """The small files follow from the blobs, byte for byte, so not even a blank of them may differ."""
    made = [(e.kind, e.reference, bundle.descriptor(e)) for e in bundle.contents.entries]
    entries, named = describe(bundle.layout, made)
    expected = {
        OCI_LAYOUT: OCI_LAYOUT_TEXT,
        INDEX: index_text(named),
        BUNDLE: Contents(lock_sha256=bundle.contents.lock_sha256, entries=entries).text(".json"),
        SBOM: sbom.text(bundle.lock, bundle.contents.lock_sha256),
    }
    for name, text in expected.items():
        path = bundle.layout.path / name
        if not path.is_file() or path.read_bytes() != text.encode():
            raise Damaged(str(path), "it is not as sealift wrote it", AGAIN)
