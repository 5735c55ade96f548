"""The stream that parts are windows of: every byte is in one part, and any tar reads it."""

from __future__ import annotations

import io
import tarfile

from hypothesis import given
from hypothesis import strategies as st

from mirror.tar_stream import BLOCK, END, StreamFile, TarStream, header, overlapping, part_sizes, windows

CONTENTS = st.lists(st.binary(max_size=3 * BLOCK), max_size=12)


def written(contents: list[bytes]) -> tuple[TarStream, bytes]:
    stream = TarStream([StreamFile(path=f"blobs/sha256/{n:064}", size=len(c)) for n, c in enumerate(contents)])
    made = bytearray(stream.size)
    for place, content in zip(stream.places, contents, strict=True):
        made[place.header : place.header + BLOCK] = header(place.file.path, place.file.size)
        made[place.content : place.content + len(content)] = content
    return stream, bytes(made)


@given(CONTENTS)
def test_any_tar_reads_the_stream(contents: list[bytes]) -> None:
    _, made = written(contents)
    with tarfile.open(fileobj=io.BytesIO(made)) as tar:
        members = tar.getmembers()
        assert [tar.extractfile(m).read() for m in members] == contents  # type: ignore[union-attr]
    assert all((m.uid, m.gid, m.mtime, m.mode) == (0, 0, 0, 0o644) for m in members)


@given(CONTENTS, st.integers(1, 5000))
def test_parts_laid_one_after_another_are_the_stream(contents: list[bytes], part_size: int) -> None:
    stream, made = written(contents)
    sizes = part_sizes(stream.size, part_size)
    assert sum(sizes) == stream.size
    assert all(s == part_size for s in sizes[:-1])
    parts = {n: bytearray(s) for n, s in enumerate(sizes, 1)}
    for place, content in zip(stream.places, contents, strict=True):
        whole = header(place.file.path, len(content)) + content
        done = 0
        for w in windows(place.header, place.header + len(whole), part_size):
            parts[w.part][w.offset : w.offset + w.count] = whole[done : done + w.count]
            done += w.count
    assert b"".join(parts.values()) == made


@given(st.integers(0, 10_000), st.integers(0, 10_000), st.integers(1, 4000))
def test_windows_cover_every_byte_once(first: int, length: int, part_size: int) -> None:
    covered = [
        (w.part - 1) * part_size + w.offset + i
        for w in windows(first, first + length, part_size)
        for i in range(w.count)
    ]
    assert covered == list(range(first, first + length))


@given(CONTENTS, st.integers(0, 9000), st.integers(1, 3000))
def test_a_window_of_the_stream_names_the_files_of_which_it_holds_something(
    contents: list[bytes], start: int, count: int
) -> None:
    stream, _ = written(contents)
    named = {p.file.path for p in overlapping(stream.places, start, start + count)}
    for place in stream.places:
        held = range(max(place.header, start), min(place.end, start + count))
        assert (place.file.path in named) == bool(len(held))


def test_a_header_is_as_long_for_the_largest_file_as_for_the_smallest() -> None:
    assert len(header("blobs/sha256/" + "0" * 64, 10**15)) == len(header("a", 0)) == BLOCK
    assert END == 2 * BLOCK
