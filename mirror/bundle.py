"""bundle.json and what a lock puts into a bundle. A bundle is an OCI layout, its lock and this file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from .document import FileModel, Strict
from .errors import Damaged
from .layout import BUNDLE, LOCK, REF_NAME, Descriptor, Layout, media_type
from .lock import Lock, LockedChart, LockedEvidence, LockedImage, LockedManifest, LockedModel
from .release import Release

Kind = Literal["image", "chart", "manifest", "model", "evidence"]


class Entry(Strict):
    """One thing that a bundle carries; it stands in index.json under its upstream name."""

    reference: str
    """Full upstream reference."""
    kind: Kind
    digest: str
    media_type: str
    size: int
    """Bytes of everything under the digest, itself included; what entries share counts in each."""


class Contents(FileModel):
    """bundle.json. Entries are sorted by reference."""

    lock_sha256: str
    """Hex sha256 of the bundle's sealift.lock."""
    entries: list[Entry]


@dataclass(frozen=True)
class Plan:
    """What a lock puts into a bundle, in the lock's order."""

    images: list[LockedImage]
    charts: list[LockedChart]
    releases: list[Release]
    models: list[LockedModel]
    platforms: list[str]
    evidence: list[LockedEvidence]

    @classmethod
    def of(cls, lock: Lock) -> Self:
        """The plan of ``lock``; a release file that two parts share stands once."""
        contents = [p.content for p in lock.parts]
        charts = {c.reference: c for c in contents if isinstance(c, LockedChart)}
        releases = {
            (r := Release(u, f)).reference: r
            for c in contents
            if isinstance(c, LockedManifest)
            for u, f in zip(c.urls, c.files, strict=True)
        }
        evidence = {e.reference: e for i in lock.images for e in i.evidence}
        return cls(
            lock.images,
            list(charts.values()),
            list(releases.values()),
            lock.models,
            lock.platforms,
            list(evidence.values()),
        )

    def lines(self) -> list[tuple[Kind, str, int | None]]:
        """Kind, upstream name and bytes of each entry; a chart's bytes are known when its manifest has been read."""
        found: list[tuple[Kind, str, int | None]] = [("image", i.reference, i.size) for i in self.images]
        found += [("chart", c.reference, None) for c in self.charts]
        found += [("manifest", r.reference, r.file.size) for r in self.releases]
        found += [("model", m.reference, sum(f.size for f in m.files)) for m in self.models]
        return found + [("evidence", e.reference, e.size) for e in self.evidence]


@dataclass(frozen=True)
class Bundle:
    """A whole bundle that has been opened: names and sums agree; blobs are not yet read."""

    layout: Layout
    lock: Lock
    contents: Contents

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the bundle at ``path``; raises BadInput (no bundle) or Damaged (files disagree)."""
        contents = Contents.read(path / BUNDLE)
        lock_file = path / LOCK
        if not lock_file.is_file() or lock_sha256(lock_file) != contents.lock_sha256:
            raise Damaged(str(lock_file), f"it is not the lock that {BUNDLE} was made from", "Carry the bundle again.")
        bundle = cls(Layout(path), Lock.read(lock_file), contents)
        if sorted((d.annotations.get(REF_NAME, ""), d.digest) for d in bundle.layout.index()) != sorted(
            (e.reference, e.digest) for e in contents.entries
        ):
            raise Damaged(str(path / "index.json"), f"its entries are not those of {BUNDLE}", "Carry the bundle again.")
        return bundle

    def descriptor(self, entry: Entry) -> Descriptor:
        """Where ``entry`` starts in the layout."""
        path = self.layout.blob(entry.digest)
        if not path.is_file():
            raise Damaged(str(path), f"missing; {entry.reference} starts here", "Carry the bundle again.")
        return Descriptor(entry.media_type, entry.digest, path.stat().st_size)

    def entry(self, reference: str) -> Entry:
        """The entry called ``reference``; raises Damaged."""
        for e in self.contents.entries:
            if e.reference == reference:
                return e
        raise Damaged(str(self.layout.path / BUNDLE), f"{reference} is not in it", "Make the bundle again.")


def describe(layout: Layout, made: Iterable[tuple[Kind, str, Descriptor]]) -> tuple[list[Entry], list[Descriptor]]:
    """What bundle.json and index.json say of entries (kind, reference, where it starts), both sorted by reference."""
    entries, named = [], []
    for kind, reference, top in sorted(made, key=lambda m: m[1]):
        size = sum(d.size for d in layout.walk(top))
        type_ = media_type(layout.read(top.digest), reference)
        entries.append(Entry(reference=reference, kind=kind, digest=top.digest, media_type=type_, size=size))
        named.append(Descriptor(type_, top.digest, top.size, {REF_NAME: reference}))
    return entries, named


def lock_sha256(lock: Path) -> str:
    """Hex sha256 of a lock file: what names a bundle."""
    return hashlib.sha256(lock.read_bytes()).hexdigest()
