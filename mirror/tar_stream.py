"""The tar stream that a bundle in parts is cut from: where each file stands in it follows from the sizes alone.

``cat parts/* | tar x`` gives the OCI layout. Headers are GNU's of 512 bytes whatever the size (a PAX header would
grow with it), every file is root's, mode 0644, dated 1970-01-01: equal content is an equal stream.
https://www.gnu.org/software/tar/manual/html_node/Standard.html
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Sequence
from functools import cached_property

from msgspec import Struct

from .record import Record

BLOCK = 512
END = 2 * BLOCK
"""Bytes of the two empty blocks that end the stream."""


class StreamFile(Record, frozen=True, kw_only=True):
    """A file of the stream."""

    path: str
    size: int


class Place(Struct, frozen=True):
    """Where a file stands in the stream: its header, then its content, then zeros to a whole block."""

    file: StreamFile
    header: int
    """Offset of the header, in bytes from the stream's beginning."""

    @property
    def content(self) -> int:
        """Offset of the first byte of the content."""
        return self.header + BLOCK

    @property
    def end(self) -> int:
        """Offset of the next file's header."""
        return self.content + padded(self.file.size)


class TarStream(Struct, frozen=True, dict=True):
    """The files in their order."""

    files: Sequence[StreamFile]

    @cached_property
    def places(self) -> list[Place]:
        """Where each file stands, in order."""
        found, offset = [], 0
        for f in self.files:
            found.append(Place(f, offset))
            offset = found[-1].end
        return found

    @cached_property
    def by_path(self) -> dict[str, Place]:
        """Where each file stands, by its path."""
        return {p.file.path: p for p in self.places}

    @property
    def size(self) -> int:
        """Bytes of the whole stream."""
        return (self.places[-1].end if self.files else 0) + END


def header(path: str, size: int) -> bytes:
    """The 512 bytes before a file's content; raises ValueError for a path longer than 100 bytes."""
    entry = tarfile.TarInfo(path)
    entry.size, entry.mode, entry.uname, entry.gname = size, 0o644, "root", "root"
    made = entry.tobuf(tarfile.GNU_FORMAT)
    if len(made) != BLOCK:
        raise ValueError(f"{path} does not fit into one header")
    return made


def padded(size: int) -> int:
    """``size`` rounded up to whole blocks."""
    return -(-size // BLOCK) * BLOCK


class Window(Struct, frozen=True):
    """The piece of part number ``part`` (from 1) that bytes of the stream fall into."""

    part: int
    offset: int
    """In the part."""
    count: int


def windows(start: int, end: int, part_size: int) -> list[Window]:
    """The pieces of parts that bytes ``start`` to ``end`` of the stream lie in, in order."""
    found = []
    while start < end:
        part, offset = divmod(start, part_size)
        count = min(end - start, part_size - offset)
        found.append(Window(part + 1, offset, count))
        start += count
    return found


def part_sizes(total: int, part_size: int) -> list[int]:
    """Bytes of each part of a stream of ``total`` bytes."""
    return [min(part_size, total - start) for start in range(0, total, part_size)]


def overlapping(places: Iterable[Place], start: int, end: int) -> list[Place]:
    """The files of which something (header or padding too) lies between ``start`` and ``end``."""
    return [p for p in places if p.header < end and p.end > start]
