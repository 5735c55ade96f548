"""Verifying the parts of a bundle: each alone, and in the same reading every blob that lies in one of them whole."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .errors import Damaged
from .layout import BLOBS, Layout, read_segments
from .parts import Part, Parted, part_name
from .tar_stream import END, Place, header, overlapping, part_sizes

PIECE = 1 << 20


@dataclass
class PartFound:
    """What reading one part showed."""

    wrong: str | None = None
    """Why it is not the part that parts.json lists; None when it is."""
    digests: dict[str, str] = field(default_factory=dict)
    """Path in the layout of each file whose content lies in this part whole -> sha256:<hex> of it."""
    misplaced: list[str] = field(default_factory=list)
    """Files whose header or padding is not as it must be."""


@dataclass(frozen=True)
class _Region:
    start: int
    end: int
    place: Place | None
    expected: bytes | None
    """None for content."""


def sizes_agree(layout: Parted) -> None:
    """Raise Damaged unless parts.json agrees with itself."""
    listed = layout.parts
    expected = part_sizes(layout.stream.size, listed.part_size)
    if [(p.name, p.size) for p in listed.parts] != [(part_name(n), s) for n, s in enumerate(expected, 1)]:
        raise Damaged(str(layout.path), "parts.json does not agree with itself", "Carry parts.json again.")


def read_part(layout: Parted, number: int, part: Part, advance: Callable[[int], None]) -> PartFound:
    """Read part ``number`` (from 1) once: its own sum, and the digests of what lies in it whole."""
    path, found = layout.path / part.name, PartFound()
    if not path.is_file() or path.is_symlink():
        found.wrong = "missing"
        return found
    if (size := path.stat().st_size) != part.size:
        found.wrong = f"it has {size:,} bytes of {part.size:,}"
        return found
    start = (number - 1) * layout.parts.part_size
    whole = hashlib.sha256()
    with path.open("rb", buffering=0) as f:
        for region in _regions(layout, start, start + part.size):
            content = hashlib.sha256()
            seen = b""
            for piece in _read(f.fileno(), region.start - start, region.end - start):
                whole.update(piece)
                if region.expected is None:
                    content.update(piece)
                else:
                    seen += bytes(piece)
                advance(len(piece))
            _judge(region, content.hexdigest(), seen, found)
    if whole.hexdigest() != part.sha256:
        found.wrong = f"its sha256 is {whole.hexdigest()}"
    return found


def _judge(region: _Region, digest: str, seen: bytes, found: PartFound) -> None:
    place = region.place
    if region.expected is not None:
        if seen != region.expected:
            found.misplaced.append(place.file.path if place else "the end of the stream")
    elif place and (region.start, region.end) == (place.content, place.content + place.file.size):
        found.digests[place.file.path] = f"sha256:{digest}"


def _regions(layout: Parted, start: int, end: int) -> Iterator[_Region]:
    stream = layout.stream
    for place in overlapping(stream.places, start, end):
        content_end = place.content + place.file.size
        head = header(place.file.path, place.file.size)
        yield from _clipped(place.header, place.content, start, end, place, head)
        yield from _clipped(place.content, content_end, start, end, place, None)
        yield from _clipped(content_end, place.end, start, end, place, bytes(place.end - content_end))
    yield from _clipped(stream.size - END, stream.size, start, end, None, bytes(END))


def _clipped(
    first: int, last: int, start: int, end: int, place: Place | None, expected: bytes | None
) -> Iterator[_Region]:
    low, high = max(first, start), min(last, end)
    if low < high or (first == last and start <= first < end and expected is None):
        yield _Region(low, high, place, None if expected is None else expected[low - first : high - first])


def _read(file: int, start: int, end: int) -> Iterator[memoryview]:
    buffer = memoryview(bytearray(min(PIECE, max(end - start, 1))))
    while start < end and (count := os.preadv(file, [buffer[: min(end - start, len(buffer))]], start)):
        yield buffer[:count]
        start += count


def digest_of(layout: Parted, place: Place) -> str:
    """``sha256:<64 hex>`` of a file of the stream, wherever it lies."""
    hashed = hashlib.sha256()
    at = layout.windows_of(place.content, place.content + place.file.size)
    for piece in read_segments(at, memoryview(bytearray(PIECE))):
        hashed.update(piece)
    return f"sha256:{hashed.hexdigest()}"


def small_file(layout: Layout, name: str) -> Path:
    """The copy beside the parts of a small file of the stream; raises Damaged."""
    path = layout.path / name
    if not path.is_file():
        raise Damaged(str(path), "missing", "Carry it again.")
    return path


def digest_expected(layout: Parted, path: str) -> str:
    """What the content of ``path`` in the stream must be: a blob's name says it, a small file lies beside the parts."""
    if path.startswith(f"{BLOBS}/"):
        return path.removeprefix(f"{BLOBS}/").replace("/", ":")
    return f"sha256:{hashlib.sha256(small_file(layout, path).read_bytes()).hexdigest()}"
