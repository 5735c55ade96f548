"""Where a bundle's blobs are written while it is made: each once, continued where an earlier run stopped."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from .atomic import write_bytes_atomically
from .growing import Advance, FileMedium, Growing, PartsMedium
from .layout import WORK, Descriptor, Layout
from .parts import blob_path
from .tar_stream import BLOCK, Place, header

STEP = 16 << 20
"""Bytes after which the journal is told: at most so much is fetched again after a kill."""
BOOT = Path("/proc/sys/kernel/random/boot_id")
UNKNOWN = "unknown"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Store(Protocol):
    """Blobs that are being brought together. ``key`` is a digest, or what stands for one that is not known yet."""

    @property
    def rebooted(self) -> bool:
        """Whether the machine was started anew since the last run: then what it wrote may not have reached the disk."""
        ...

    def done(self, key: str) -> Descriptor | None:
        """What is known of ``key`` when it is there in full: its digest and size."""
        ...

    @contextmanager
    def growing(self, key: str, size: int, advance: Advance) -> Iterator[Growing]:
        """The place of ``key``, to be filled; what is there already has been hashed."""
        yield ...  # type: ignore[misc]

    def finish(self, key: str, d: Descriptor) -> None:
        """``key`` is there in full, and is ``d``."""
        ...

    def there(self, key: str, size: int) -> int:
        """Bytes of ``key`` that need not be fetched again."""
        ...

    def forget(self, key: str) -> None:
        """What is there as ``key`` is not it."""
        ...


class LayoutStore:
    """Files in an OCI layout; what is not whole lies in its work directory."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._work = layout.path / WORK / "blobs"
        self._notes = layout.path / WORK / "notes"
        self.rebooted = rebooted(layout.path / WORK)

    def done(self, key: str) -> Descriptor | None:
        """See :class:`Store`."""
        digest = key if key.startswith("sha256:") else self._noted(key)
        size = self.layout.size(digest) if digest else None
        return Descriptor("", digest, size) if digest and size is not None else None

    @contextmanager
    def growing(self, key: str, size: int, advance: Advance) -> Iterator[Growing]:
        """See :class:`Store`."""
        medium = FileMedium(self._work / _safe(key))
        content = Growing(medium, size, medium.length, advance)
        try:
            yield content
        finally:
            content.close()

    def finish(self, key: str, d: Descriptor) -> None:
        """See :class:`Store`."""
        target = self.layout.blob(d.digest)
        if key != d.digest:  # Noted first: what has gone to its place without a note would be fetched again.
            write_bytes_atomically(self._notes / _safe(key), d.digest.encode(), flush=False)
        target.parent.mkdir(parents=True, exist_ok=True)
        (self._work / _safe(key)).replace(target)

    def there(self, key: str, size: int) -> int:
        """See :class:`Store`."""
        return there_in_files(self.layout.path, key, size)

    def forget(self, key: str) -> None:
        """See :class:`Store`."""
        if found := self.done(key):
            self.layout.blob(found.digest).unlink()

    def _noted(self, key: str) -> str | None:
        return _noted(self.layout.path, key)


class PartsStore:
    """Places in the parts. A journal says how far each has come, as a part's length does not."""

    def __init__(self, directory: Path, part_size: int, places: Iterable[tuple[str, Place]]) -> None:
        self.directory = directory
        self.part_size = part_size
        self._places = dict(places)
        self._lock = threading.Lock()
        (directory / WORK).mkdir(parents=True, exist_ok=True)
        self.rebooted = rebooted(directory / WORK)
        path = _journal_path(directory, part_size, self._places)
        cut_off(path)
        self._far, self.finished = journal(path)
        self._journal = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)

    def place(self, key: str) -> Place:
        """Where ``key`` stands in the stream."""
        return self._places[key]

    def done(self, key: str) -> Descriptor | None:
        """See :class:`Store`."""
        digest = self.finished.get(key)
        return Descriptor("", digest, self._places[key].file.size) if digest else None

    @contextmanager
    def growing(self, key: str, size: int, advance: Advance, there: int | None = None) -> Iterator[Growing]:
        """See :class:`Store`; ``there`` says how much is there where the journal's word is not enough."""
        medium = PartsMedium(self.directory, self._places[key].content, self.part_size, lambda n: self._note(key, n))
        content = Growing(medium, size, self._far.get(key, 0) if there is None else there, advance)
        try:
            yield content
        finally:
            content.close()

    def finish(self, key: str, d: Descriptor) -> None:
        """See :class:`Store`: the header is written now that the digest, which names the file, is known."""
        self.frame(key, d)
        self._write(key, d.digest)
        self.finished[key] = d.digest

    def frame(self, key: str, d: Descriptor) -> None:
        """Write what stands around the content of ``key``: header and padding."""
        place = self._places[key]
        self.put(place.header, header(blob_path(d.digest), d.size))
        self.put(place.content + d.size, bytes(-d.size % BLOCK))

    def put(self, offset: int, content: bytes) -> None:
        """Write ``content`` at ``offset`` of the stream."""
        medium = PartsMedium(self.directory, offset, self.part_size, lambda _: None)
        try:
            medium.put(0, memoryview(content))
        finally:
            medium.close()

    def there(self, key: str, size: int) -> int:
        """See :class:`Store`."""
        return size if key in self.finished else min(self._far.get(key, 0), size)

    def forget(self, key: str) -> None:
        """See :class:`Store`."""
        self.finished.pop(key, None)
        self._far.pop(key, None)

    def close(self) -> None:
        """No more is written."""
        os.close(self._journal)

    def _note(self, key: str, position: int) -> None:
        if position == 0 or position - self._far.get(key, 0) >= STEP:
            self._far[key] = position
            self._write(key, str(position))

    def _write(self, key: str, value: str) -> None:
        line = f"{key}\t{value}\n".encode()
        with self._lock:
            if os.write(self._journal, line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def there_in_files(path: Path, key: str, size: int) -> int:
    """Bytes of ``key`` that a store in files at ``path`` has; nothing is written, not even that it was looked at."""
    digest = key if key.startswith("sha256:") else _noted(path, key)
    if digest and (found := Layout(path).size(digest)) is not None:
        return found
    growing = path / WORK / "blobs" / _safe(key)
    return min(growing.stat().st_size, size) if growing.is_file() else 0


def there_in_parts(path: Path, part_size: int, places: Iterable[tuple[str, Place]]) -> Callable[[str, int], int]:
    """As :func:`there_in_files`, of a store in parts: bytes by key and size."""
    far, finished = journal(_journal_path(path, part_size, dict(places)))
    return lambda key, size: size if key in finished else min(far.get(key, 0), size)


def _noted(path: Path, key: str) -> str | None:
    note = path / WORK / "notes" / _safe(key)
    return note.read_text() if note.is_file() else None


def _journal_path(directory: Path, part_size: int, places: Mapping[str, Place]) -> Path:
    said = repr((part_size, [(k, p.content) for k, p in places.items()]))
    return directory / WORK / f"journal-{hashlib.sha256(said.encode()).hexdigest()[:16]}"


def cut_off(path: Path) -> None:
    """Remove a last line that was not written whole: the next would join it."""
    content = path.read_bytes() if path.is_file() else b""
    if content and not content.endswith(b"\n"):
        os.truncate(path, content.rfind(b"\n") + 1)


def journal(path: Path) -> tuple[dict[str, int], dict[str, str]]:
    """How far each has come, and what is finished; a last line that was cut off counts as unwritten."""
    far: dict[str, int] = {}
    finished: dict[str, str] = {}
    content = path.read_bytes() if path.is_file() else b""
    for line in content[: content.rfind(b"\n") + 1].decode(errors="replace").splitlines():
        key, _, value = line.partition("\t")
        if _DIGEST.fullmatch(value):
            finished[key] = value
        elif value.isdigit():
            far[key] = int(value)
    return far, finished


def rebooted(work: Path) -> bool:
    """Whether ``work`` was last used before this machine's last start, or may have been; notes this start.

    A note that a loss of power took away counts as one of before.
    """
    try:
        now = BOOT.read_text().strip()
    except OSError:
        now = UNKNOWN
    note = work / "boot"
    used = work.is_dir() and any(work.iterdir())
    before = note.read_text() if note.is_file() else None
    if before != now:
        write_bytes_atomically(note, now.encode(), flush=False)
    return used and (before != now or now == UNKNOWN)


def _safe(key: str) -> str:
    return key.replace(":", "-").replace("/", "-").replace(os.sep, "-")
