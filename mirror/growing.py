"""Content that grows where it stays, hashed on the way: in a file of its own, or at its place in the parts."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from .errors import NoSpace
from .parts import part_name
from .tar_stream import windows

PIECE = 1 << 20
WRITE = 256 << 10
"""Bytes that are written at once. Of more, ext4 looks for memory in one piece, which cost three times as much."""
Advance = Callable[[int], None]
"""Is told of bytes that have moved, or (negative) of bytes that must be moved again; raises to stop the work."""


class Medium(Protocol):
    """Where bytes are put and read again."""

    def put(self, position: int, piece: memoryview) -> None:
        """Write ``piece`` at ``position`` bytes from the content's beginning; raises OSError."""
        ...

    def get(self, position: int, buffer: memoryview) -> int:
        """Read into ``buffer`` from ``position``; the number of bytes read."""
        ...

    def note(self, position: int) -> None:
        """So many bytes are there."""
        ...

    def close(self) -> None:
        """No more is written."""
        ...


class FileMedium:
    """A file of its own: its length says how far it has come."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)

    @property
    def length(self) -> int:
        """Bytes that are there."""
        return os.fstat(self._file).st_size

    def put(self, position: int, piece: memoryview) -> None:
        """See :class:`Medium`."""
        if position == 0 and self.length:  # ext4 writes a file that was cut to nothing to the disk when it is closed.
            os.ftruncate(self._file, 0)
        _pwrite(self._file, piece, position)

    def get(self, position: int, buffer: memoryview) -> int:
        """See :class:`Medium`."""
        return os.preadv(self._file, [buffer], position)

    def note(self, position: int) -> None:
        """See :class:`Medium`: the length says it."""

    def close(self) -> None:
        """See :class:`Medium`."""
        os.close(self._file)


class PartsMedium:
    """A place in the stream that the parts in ``directory`` are windows of."""

    def __init__(self, directory: Path, offset: int, part_size: int, noted: Callable[[int], None]) -> None:
        self._directory = directory
        self._offset = offset
        self._part_size = part_size
        self._noted = noted
        self._open: dict[int, int] = {}

    def put(self, position: int, piece: memoryview) -> None:
        """See :class:`Medium`."""
        done = 0
        for file, offset, count in self._windows(position, len(piece)):
            _pwrite(file, piece[done : done + count], offset)
            done += count

    def get(self, position: int, buffer: memoryview) -> int:
        """See :class:`Medium`."""
        done = 0
        for file, offset, count in self._windows(position, len(buffer)):
            read = os.preadv(file, [buffer[done : done + count]], offset)
            done += read
            if read < count:
                break
        return done

    def note(self, position: int) -> None:
        """See :class:`Medium`."""
        self._noted(position)

    def close(self) -> None:
        """See :class:`Medium`."""
        for file in self._open.values():
            os.close(file)
        self._open.clear()

    def _windows(self, position: int, count: int) -> Iterator[tuple[int, int, int]]:
        start = self._offset + position
        for w in windows(start, start + count, self._part_size):
            if w.part not in self._open:
                path = self._directory / part_name(w.part)
                path.parent.mkdir(parents=True, exist_ok=True)
                self._open[w.part] = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            yield self._open[w.part], w.offset, w.count


class Growing:
    """Content of ``size`` bytes on ``medium``; of these ``there`` are there already, and are read and hashed first."""

    def __init__(self, medium: Medium, size: int, there: int, advance: Advance) -> None:
        self.size = size
        self._medium = medium
        self._advance = advance
        self._begin()
        if 0 < there <= size:
            self._read_again(there)

    @property
    def position(self) -> int:
        """How many bytes are there."""
        return self._position

    def write(self, piece: memoryview) -> None:
        """Append ``piece``; raises NoSpace, or what stops the work."""
        self._advance(len(piece))
        self._hashed.update(piece)
        try:
            self._medium.put(self._position, piece)
        except OSError as e:
            raise NoSpace(
                "the disk", (e.strerror or str(e)).lower(), "Make room and run the command again; it continues."
            ) from e
        self._position += len(piece)
        self._medium.note(self._position)

    def restart(self) -> None:
        """Forget what is there."""
        self._advance(-self._position)
        self._begin()
        self._medium.note(0)

    def digest(self) -> str:
        """``sha256:<64 hex>`` of what is there."""
        return f"sha256:{self._hashed.hexdigest()}"

    def read(self, start: int, end: int) -> Iterator[memoryview]:
        """The bytes from ``start`` to ``end``, in pieces that are valid until the next."""
        buffer = memoryview(bytearray(min(PIECE, max(end - start, 1))))
        while start < end and (count := self._medium.get(start, buffer[: min(end - start, len(buffer))])):
            yield buffer[:count]
            start += count

    def close(self) -> None:
        """No more is written."""
        self._medium.close()

    def _begin(self) -> None:
        self._hashed = hashlib.sha256()
        self._position = 0

    def _read_again(self, there: int) -> None:
        for piece in self.read(0, there):
            self._hashed.update(piece)
            self._position += len(piece)


class InMemory:
    """Small content that is not kept: what is judged on the way."""

    def __init__(self) -> None:
        self.content = bytearray()

    @property
    def position(self) -> int:
        """How many bytes are there."""
        return len(self.content)

    def write(self, piece: memoryview) -> None:
        """Append ``piece``."""
        self.content += piece

    def restart(self) -> None:
        """Forget what is there."""
        self.content.clear()

    def digest(self) -> str:
        """``sha256:<64 hex>`` of what is there."""
        return f"sha256:{hashlib.sha256(self.content).hexdigest()}"


def _pwrite(file: int, piece: memoryview, offset: int) -> None:
    while piece:
        written = os.pwrite(file, piece[:WRITE], offset)
        piece, offset = piece[written:], offset + written
