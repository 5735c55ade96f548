"""Layers: deterministic tar archives, compressed into the registry's storage and kept by a key of their inputs."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Literal, cast

from mirror.atomic import write_atomically
from mirror.errors import ToolMissing

from .store import Blob, Store

Compression = Literal["gzip", "zstd"]
CHUNK = 1 << 20
_MEDIA_TYPE = "application/vnd.oci.image.layer.v1.tar+"


@dataclass(frozen=True)
class Layer:
    """A stored layer; ``diff_id`` is the digest of the archive before compression."""

    digest: str
    size: int
    media_type: str
    diff_id: str

    @property
    def blob(self) -> Blob:
        """The layer as a blob of the registry."""
        return Blob(self.digest, self.size, self.media_type)


@dataclass(frozen=True)
class Entry:
    """One member of a layer: a file's bytes or where they lie, a link's target, or a directory when none is given."""

    path: str
    """Absolute, in the image."""
    mode: int = 0o755
    data: bytes | None = None
    source: Path | None = None
    link: str | None = None


@dataclass(frozen=True)
class Layers:
    """Makes layers, or finds them again: ``records`` holds one JSON file for each key."""

    store: Store
    records: Path

    def find(self, key: str) -> Layer | None:
        """The layer that was made for ``key``, if its blob is still stored."""
        record = self._record(key)
        if not record.is_file():
            return None
        layer = Layer(**json.loads(record.read_text()))
        return layer if self.store.has(layer.digest) else None

    def make(self, key: str, entries: Callable[[], Iterable[Entry]], compression: Compression = "gzip") -> Layer:
        """The layer of ``entries``; they are only asked for when ``key`` is new. Same entries, same digest."""
        return self.find(key) or self._keep(key, compression, lambda out: _write_tar(out, entries()))

    def convert(self, key: str, archive: Path, compression: Compression = "gzip") -> Layer:
        """The layer of a finished tar archive."""

        def copy(out: IO[bytes]) -> None:
            with archive.open("rb") as f:
                while chunk := f.read(CHUNK):
                    out.write(chunk)

        return self.find(key) or self._keep(key, compression, copy)

    def _record(self, key: str) -> Path:
        return self.records / f"{hashlib.sha256(key.encode()).hexdigest()}.json"

    def _keep(self, key: str, compression: Compression, write: Callable[[IO[bytes]], None]) -> Layer:
        self.records.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.records) as scratch:
            file = Path(scratch) / "layer"
            with _compressor(file, compression) as sink:
                hashed = _Hashing(sink)
                write(cast(IO[bytes], hashed))
            digest = f"sha256:{_sha256(file)}"
            blob = self.store.adopt(file, digest, _MEDIA_TYPE + compression)
        layer = Layer(digest, blob.size, blob.media_type, f"sha256:{hashed.hash.hexdigest()}")
        write_atomically(self._record(key), json.dumps(asdict(layer)))
        return layer


def tree(root: Path, at: str, leave_out: Callable[[str], bool] = lambda _: False) -> Iterator[Entry]:
    """Every file, link and directory below ``root`` as entries below ``at``; ``leave_out`` judges relative names."""
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if leave_out(name):
            continue
        target = f"{at}/{name}"
        if path.is_symlink():
            yield Entry(target, 0o777, link=str(path.readlink()))
        elif path.is_dir():
            yield Entry(target, 0o755)
        else:
            yield Entry(target, 0o755 if path.stat().st_mode & 0o111 else 0o644, source=path)


def _write_tar(out: IO[bytes], entries: Iterable[Entry]) -> None:
    """Owner root, no times: the archive depends on names, modes and bytes alone. Parent directories are added."""
    made: set[str] = set()
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        for entry in entries:
            name = entry.path.strip("/")
            for parent in reversed(Path(name).parents[:-1]):
                if str(parent) not in made:
                    made.add(str(parent))
                    tar.addfile(_member(Entry(str(parent))))
            if entry.data is None and entry.source is None and entry.link is None:
                if name in made:
                    continue
                made.add(name)
            _add(tar, entry)


def _add(tar: tarfile.TarFile, entry: Entry) -> None:
    member = _member(entry)
    if entry.source is not None:
        member.size = entry.source.stat().st_size
        with entry.source.open("rb") as f:
            tar.addfile(member, f)
    elif entry.data is not None:
        member.size = len(entry.data)
        tar.addfile(member, io.BytesIO(entry.data))
    else:
        tar.addfile(member)


def _member(entry: Entry) -> tarfile.TarInfo:
    member = tarfile.TarInfo(entry.path.strip("/"))
    member.mode = entry.mode
    if entry.link is not None:
        member.type, member.linkname = tarfile.SYMTYPE, entry.link
    elif entry.source is None and entry.data is None:
        member.type = tarfile.DIRTYPE
    return member


class _Hashing(io.RawIOBase):
    """Passes bytes on to ``sink`` and hashes them on the way."""

    def __init__(self, sink: IO[bytes]) -> None:
        self.sink = sink
        self.hash = hashlib.sha256()

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.hash.update(data)
        self.sink.write(data)
        return len(data)


@contextmanager
def _compressor(file: Path, compression: Compression) -> Iterator[IO[bytes]]:
    if compression == "gzip":
        with file.open("wb") as raw, gzip.GzipFile("", "wb", compresslevel=1, fileobj=raw, mtime=0) as sink:
            yield sink  # type: ignore[misc]
        return
    program = ["zstd", "-3", "-T2", "-q", "-f", "-o", str(file)]
    with subprocess.Popen(program, stdin=subprocess.PIPE) as zstd:
        assert zstd.stdin is not None
        yield zstd.stdin
        zstd.stdin.close()
    if zstd.returncode:
        raise ToolMissing("zstd", f"it ended with status {zstd.returncode}", "Install zstd and look at its message.")


def _sha256(file: Path) -> str:
    with file.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()
