"""bundle.json and what a lock puts into a bundle. A bundle is an OCI layout, its lock and this file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal, Self

from msgspec import Struct

from .bootstrap.kit import Kit, kits
from .errors import Damaged
from .layout import BUNDLE, LOCK, REF_NAME, Descriptor, Layout, media_type, walk
from .lock import Lock, LockedChart, LockedEvidence, LockedImage, LockedManifest, LockedModel
from .parts import Parted, open_layout
from .record import FileRecord, Record
from .release import Release

Kind = Literal["image", "chart", "manifest", "model", "evidence", "bootstrap"]


class Entry(Record, frozen=True, kw_only=True):
    """One thing that a bundle carries; it stands in index.json under its upstream name."""

    reference: str
    """Full upstream reference."""
    kind: Kind
    digest: str
    media_type: str
    size: int
    """Bytes of everything under the digest, itself included; what entries share counts in each."""


class Since(Record, frozen=True, kw_only=True):
    """What a bundle leaves out, because the registry that it is made for has it."""

    registry: str
    """``host[:port][/prefix]``."""
    inventory_sha256: str
    """Hex sha256 of the inventory that said so."""
    omitted: dict[str, int]
    """Digest of each blob that is left out -> its bytes. Sorted."""
    held: dict[str, str]
    """Digest of each of them -> a repository of the registry that has it."""


class Contents(FileRecord, frozen=True, kw_only=True):
    """bundle.json. Entries are sorted by reference."""

    lock_sha256: str
    """Hex sha256 of the bundle's sealift.lock."""
    entries: list[Entry]
    since: Since | None = None
    """None for a bundle that holds everything."""


class Plan(Struct, frozen=True):
    """What a lock puts into a bundle, in the lock's order."""

    images: list[LockedImage]
    charts: list[LockedChart]
    releases: list[Release]
    models: list[LockedModel]
    """Those that are packed here; a modelcar is one of the images."""
    platforms: list[str]
    evidence: list[LockedEvidence]
    kits: list[Kit]
    """What sets up operators' machines, by platform."""

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
            [m for m in lock.models if m.image is None],
            lock.platforms,
            list(evidence.values()),
            kits(lock),
        )

    def lines(self) -> list[tuple[Kind, str, int | None]]:
        """Kind, upstream name and bytes of each entry; a chart's bytes are known when its manifest has been read."""
        found: list[tuple[Kind, str, int | None]] = [("image", i.reference, i.size) for i in self.images]
        found += [("chart", c.reference, None) for c in self.charts]
        found += [("manifest", r.reference, r.file.size) for r in self.releases]
        found += [("model", m.reference, sum(f.size for f in m.files)) for m in self.models]
        found += [("evidence", e.reference, e.size) for e in self.evidence]
        return found + [("bootstrap", k.reference, k.size) for k in self.kits]


class Bundle(Struct, frozen=True):
    """A whole bundle that has been opened: names and sums agree; blobs are not yet read."""

    layout: Layout
    lock: Lock
    contents: Contents

    @classmethod
    def open(cls, path: Path, lock: Lock | None = None) -> Self:
        """Open the bundle at ``path``; raises BadInput (no bundle) or Damaged (files disagree).

        Its lock is ``lock``, where that has been read already.
        """
        contents = Contents.read(path / BUNDLE)
        lock_file = path / LOCK
        if not lock_file.is_file() or lock_sha256(lock_file) != contents.lock_sha256:
            raise Damaged(str(lock_file), f"it is not the lock that {BUNDLE} was made from", "Carry the bundle again.")
        bundle = cls(open_layout(path), lock or Lock.read(lock_file), contents)
        if sorted((d.annotations.get(REF_NAME, ""), d.digest) for d in bundle.layout.index()) != sorted(
            (e.reference, e.digest) for e in contents.entries
        ):
            raise Damaged(str(path / "index.json"), f"its entries are not those of {BUNDLE}", "Carry the bundle again.")
        return bundle

    @property
    def part_size(self) -> int | None:
        """Bytes of each part, or None for a bundle that is not in parts."""
        return self.layout.parts.part_size if isinstance(self.layout, Parted) else None

    @property
    def omitted(self) -> dict[str, int]:
        """Digests and bytes of the blobs that are left out."""
        return self.contents.since.omitted if self.contents.since else {}

    def descriptor(self, entry: Entry) -> Descriptor:
        """Where ``entry`` starts in the layout."""
        size = self.layout.size(entry.digest)
        if size is None:
            path = str(self.layout.blob(entry.digest))
            raise Damaged(path, f"missing; {entry.reference} starts here", "Carry the bundle again.")
        return Descriptor(entry.media_type, entry.digest, size)

    def entry(self, reference: str) -> Entry:
        """The entry called ``reference``; raises Damaged."""
        for e in self.contents.entries:
            if e.reference == reference:
                return e
        raise Damaged(str(self.layout.path / BUNDLE), f"{reference} is not in it", "Make the bundle again.")


def describe(
    read: Callable[[str], bytes], made: Iterable[tuple[Kind, str, Descriptor]]
) -> tuple[list[Entry], list[Descriptor]]:
    """What bundle.json and index.json say of entries (kind, reference, where it starts), both sorted by reference.

    ``read`` gives the manifest of a digest.
    """
    entries, named = [], []
    for kind, reference, top in sorted(made, key=lambda m: m[1]):
        type_ = media_type(read(top.digest), reference)
        typed = Descriptor(type_, top.digest, top.size, {REF_NAME: reference})
        size = sum(d.size for d in walk(typed, read))
        entries.append(Entry(reference=reference, kind=kind, digest=top.digest, media_type=type_, size=size))
        named.append(typed)
    return entries, named


def lock_sha256(lock: Path) -> str:
    """Hex sha256 of a lock file: what names a bundle."""
    return hashlib.sha256(lock.read_bytes()).hexdigest()
