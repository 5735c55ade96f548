"""Writing files so that a reader sees the old one or the whole new one."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import NoSpace


def write_atomically(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Write ``text`` to ``path`` through a temporary file beside it, flushed to disk before the rename.

    ``mode`` is in force before the file has its name. Raises NoSpace.
    """
    write_bytes_atomically(path, text.encode(), mode=mode)


def write_bytes_atomically(path: Path, content: bytes, *, mode: int = 0o644, flush: bool = True) -> None:
    """As :func:`write_atomically`, of bytes.

    Without ``flush`` the file may be empty after a loss of power, which is for what is checked when it is read: a flush
    among gigabytes that are on their way to the disk waits for them.
    """
    with on_disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as f:
                f.write(content)
                f.flush()
                if flush:
                    os.fsync(f.fileno())
            Path(temporary).chmod(mode)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


@contextmanager
def on_disk(path: Path) -> Iterator[None]:
    """Turns a disk (or a quota) that is full while ``path`` is written into NoSpace."""
    try:
        yield
    except OSError as e:
        if e.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        why = (e.strerror or str(e)).lower()
        raise NoSpace(str(path), why, "Make room and run the command again; it continues.") from e
