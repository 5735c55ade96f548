"""A bundle in parts: parts.json, and reading blobs straight out of the parts."""

from __future__ import annotations

from pathlib import Path

from .errors import BadInput, Damaged
from .layout import BLOBS, PARTS, PARTS_LIST, Layout, Segment
from .record import FileRecord, Record
from .tar_stream import StreamFile, TarStream, windows

SMALLEST = 1 << 20
"""Bytes that a part has at least."""


class Part(Record, frozen=True, kw_only=True):
    """One part, as it must arrive."""

    name: str
    """Path in the bundle; ``sha256sum`` gives the same sum."""
    size: int
    sha256: str


class Parts(FileRecord, frozen=True, kw_only=True):
    """parts.json: the parts, and the files of the tar stream that they are windows of, in its order."""

    part_size: int
    parts: list[Part]
    files: list[StreamFile]


def part_name(number: int) -> str:
    """The path in the bundle of part ``number`` (from 1); names sort as the numbers do."""
    return f"{PARTS}/{number:04}"


def blob_path(digest: str) -> str:
    """The path in the layout of the content of ``digest``."""
    return f"{BLOBS}/{digest.replace(':', '/')}"


class Parted(Layout, frozen=True):
    """An OCI layout that lies in parts; small files lie beside them too."""

    parts: Parts
    stream: TarStream

    def size(self, digest: str) -> int | None:
        """See :class:`Layout`: as parts.json says, when all parts that it lies in are there in full."""
        place = self.stream.by_path.get(blob_path(digest))
        if place is None:
            return None
        whole = all(
            s.path.is_file() and s.path.stat().st_size >= s.offset + s.count
            for s in self.windows_of(place.content, place.content + place.file.size)
        )
        return place.file.size if whole else None

    def segments(self, digest: str, start: int = 0, end: int | None = None) -> list[Segment]:
        """See :class:`Layout`; raises Damaged when the stream has no such blob."""
        place = self.stream.by_path.get(blob_path(digest))
        if place is None:
            raise Damaged(f"{digest} in {self.path}", "it is in no part", "Carry the bundle again.")
        last = place.file.size if end is None else end
        return self.windows_of(place.content + start, place.content + last)

    def windows_of(self, start: int, end: int) -> list[Segment]:
        """Where bytes ``start`` to ``end`` of the stream lie."""
        return [
            Segment(self.path / part_name(w.part), w.offset, w.count) for w in windows(start, end, self.parts.part_size)
        ]


def open_layout(path: Path) -> Layout:
    """The layout of the bundle at ``path``, in parts or not; raises BadInput, Damaged."""
    if not (path / PARTS_LIST).is_file():
        return Layout(path)
    listed = Parts.read(path / PARTS_LIST)
    check_size(listed.part_size, str(path / PARTS_LIST))
    return Parted(path, listed, TarStream(listed.files))


def check_size(part_size: int, origin: str) -> None:
    """Raise BadInput for a size of parts that makes too many of them."""
    if part_size < SMALLEST:
        raise BadInput(origin, f"parts of {part_size:,} bytes", f"Take parts of at least {SMALLEST:,} bytes.")
