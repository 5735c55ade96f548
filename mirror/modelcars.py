"""Modelcars: images that hold a model below /models. They are carried as they are; this looks into them at the lock.

https://kserve.github.io/website/docs/model-serving/storage/providers/oci
"""

from __future__ import annotations

import gzip
import hashlib
import os
import tarfile
import threading
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO

from msgspec.structs import replace

from .errors import BadInput, Damaged, SealiftError
from .layout import Descriptor, links
from .lock import LockedFile
from .reference import Reference
from .registry import Source
from .unpack import Header

ROOT = "models"
_PIECE = 1 << 20
_WHITEOUT = ".wh."


def look(reference: Reference, leaf: bytes, source: Source) -> list[LockedFile]:
    """The files below /models of the image whose manifest is ``leaf``, sorted; every layer is read once.

    Later layers replace and remove files of earlier ones. Raises BadInput for a compression that cannot be looked
    into, Damaged for a malformed layer, and what ``source`` raises.
    """
    found: dict[str, LockedFile] = {}
    for d in links(leaf, str(reference))[1:]:
        for name, file in _layer(reference, d, source):
            base = PurePosixPath(name).name
            if base == f"{_WHITEOUT}{_WHITEOUT}.opq":
                _remove(found, str(PurePosixPath(name).parent))
            elif base.startswith(_WHITEOUT):
                _remove(found, str(PurePosixPath(name).with_name(base.removeprefix(_WHITEOUT))))
            elif file:
                found[name] = file
    below = {n.removeprefix(f"{ROOT}/"): f for n, f in found.items() if n.startswith(f"{ROOT}/")}
    return [replace(f, name=n) for n, f in sorted(below.items())]


def _remove(found: dict[str, LockedFile], path: str) -> None:
    for name in [n for n in found if n == path or n.startswith(f"{path}/") or path == "."]:
        del found[name]


def _layer(reference: Reference, d: Descriptor, source: Source) -> Iterator[tuple[str, LockedFile | None]]:
    """Each name in the layer ``d``, with the file's sum where it is one, while it is being received."""
    if "zstd" in d.media_type:
        raise BadInput(str(reference), f"layer {d.digest[:19]} is compressed with zstd", "Pack it with gzip, or not.")
    pipe = _Pipe()
    receiving = threading.Thread(target=pipe.receive, args=(source, reference, d), daemon=True)
    receiving.start()
    try:
        with (
            pipe.reader as raw,
            _plain(raw, d) as stream,
            tarfile.open(fileobj=stream, mode="r|", tarinfo=Header) as tar,
        ):
            for member in tar:
                name = str(PurePosixPath(member.name.lstrip("/")))
                content = tar.extractfile(member) if member.isreg() else None
                yield name, _summed(name, content, member.size) if content else None
            while raw.read(_PIECE):  # What follows the archive's end belongs to the blob, and to its digest.
                continue
    except (tarfile.TarError, EOFError, OSError, gzip.BadGzipFile) as e:
        receiving.join()
        raise pipe.failure or Damaged(
            f"{reference} {d.digest}", f"its layer cannot be read: {e}", "Ask upstream."
        ) from e
    receiving.join()
    if pipe.failure:
        raise pipe.failure


def _summed(name: str, content: IO[bytes], size: int) -> LockedFile:
    hashed = hashlib.sha256()
    while piece := content.read(_PIECE):
        hashed.update(piece)
    return LockedFile(name=name, sha256=hashed.hexdigest(), size=size)


def _plain(raw: IO[bytes], d: Descriptor) -> IO[bytes]:
    return gzip.GzipFile(fileobj=raw) if "gzip" in d.media_type else raw  # type: ignore[return-value]


class _Pipe:
    """Takes a blob as a registry sends it, and gives it to a reader at the same time."""

    def __init__(self) -> None:
        read, self._write = os.pipe()
        self.reader = os.fdopen(read, "rb", buffering=_PIECE)
        self.failure: SealiftError | None = None
        self._hashed = hashlib.sha256()
        self._position = 0

    def receive(self, source: Source, reference: Reference, d: Descriptor) -> None:
        """Bring the blob; what goes wrong is kept for the reader's thread."""
        try:
            source.fetch(reference, d, self)
        except SealiftError as e:
            self.failure = e
        except BrokenPipeError:
            pass  # The reader gave up, and says why.
        finally:
            os.close(self._write)

    @property
    def position(self) -> int:
        """See :class:`mirror.distribution.pull.Target`."""
        return self._position

    def write(self, piece: memoryview) -> None:
        """See :class:`mirror.distribution.pull.Target`."""
        self._hashed.update(piece)
        self._position += len(piece)
        while piece:
            piece = piece[os.write(self._write, piece) :]

    def restart(self) -> None:
        """See :class:`mirror.distribution.pull.Target`: what the reader has had cannot be taken back."""
        if self._position:
            raise Damaged("the layer", "the registry began it anew half-way", "Run the command again.")

    def digest(self) -> str:
        """See :class:`mirror.distribution.pull.Target`."""
        return f"sha256:{self._hashed.hexdigest()}"
