"""Writing a bundle's directory: blobs as they come, and in the end the small files, with or without parts."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from .atomic import write_bytes_atomically
from .bundle import Contents, Kind, Since, describe
from .bundle_plan import Carried
from .layout import (
    BLOBS,
    BOOTSTRAP,
    BUNDLE,
    INDEX,
    LOCK,
    OCI_LAYOUT,
    OCI_LAYOUT_TEXT,
    PARTS,
    PARTS_LIST,
    SBOM,
    Descriptor,
    Layout,
    digest,
    index_text,
    walk,
)
from .lock import Lock
from .parallel import each
from .parts import Part, Parts, blob_path, check_size, part_name
from .store import LayoutStore, PartsStore, Store, there_in_files, there_in_parts
from .tar_stream import BLOCK, END, Place, StreamFile, TarStream, header, part_sizes

Entries = Sequence[tuple[Kind, str, Descriptor]]


class Writing(Protocol):
    """A bundle that is being written at ``path``."""

    @property
    def path(self) -> Path:
        """Its directory."""
        ...

    @property
    def store(self) -> Store:
        """Where blobs go."""
        ...

    def add(self, content: bytes) -> Descriptor:
        """Small content that follows from what was fetched."""
        ...

    def holds(self, d: Descriptor) -> bool:
        """Whether what is there as ``d`` is ``d``: it is read and hashed."""
        ...

    def finish(self, lock: Lock, lock_file: Path, entries: Entries, since: Since | None, bill: str) -> None:
        """Write what is still wanted, and remove what is not part of a whole bundle."""
        ...


@contextmanager
def writing(path: Path, carried: Carried, part_size: int | None) -> Iterator[Writing]:
    """The bundle at ``path``, to be filled with what is ``carried``; raises BadInput for a bad size of parts."""
    path.mkdir(parents=True, exist_ok=True)
    if part_size is None:
        yield InFiles(path, carried)
        return
    check_size(part_size, "--part-size")
    store = PartsStore(path, part_size, [(k, p) for (k, _), p in _placed(carried)])
    try:
        yield InParts(path, carried, store)
    finally:
        store.close()


def there(path: Path, carried: Carried, part_size: int | None) -> Callable[[str, int], int]:
    """How many bytes of what is fetched lie at ``path`` already, by key and size; nothing is written."""
    if part_size is None:
        return lambda key, size: there_in_files(path, key, size)
    check_size(part_size, "--part-size")
    return there_in_parts(path, part_size, [(k, p) for (k, _), p in _placed(carried)])


def small_files(
    lock: Lock,
    lock_file: bytes,
    entries: Entries,
    read: Callable[[str], bytes],
    since: Since | None,
    bill: str | None = None,
) -> dict[str, bytes]:
    """The files beside the blobs, by name: a pure function of the lock and the manifests.

    ``bill`` is the bill of materials, where it has been made already.
    """
    from .bootstrap import script

    listed, named = describe(read, entries)
    lock_digest = hashlib.sha256(lock_file).hexdigest()
    texts = {
        OCI_LAYOUT: OCI_LAYOUT_TEXT,
        INDEX: index_text(named),
        BUNDLE: Contents(lock_sha256=lock_digest, entries=listed, since=since).text(".json"),
        SBOM: bill or bill_of_materials(lock, lock_digest),
    }
    if bootstrap := script.text(lock, lock_digest):
        texts[BOOTSTRAP] = bootstrap
    return {n: t.encode() for n, t in texts.items()} | {LOCK: lock_file}


def bill_of_materials(lock: Lock, lock_digest: str) -> str:
    """See sbom.py, which takes longer to import than all the rest of this room."""
    from . import sbom

    return sbom.text(lock, lock_digest)


class InFiles:
    """An OCI layout: a file for each blob."""

    def __init__(self, path: Path, carried: Carried) -> None:
        self.path = path
        self.store = LayoutStore(Layout(path))
        self._documents = dict(carried.documents)

    def add(self, content: bytes) -> Descriptor:
        """See :class:`Writing`."""
        self._documents[digest(content)] = content
        return Descriptor.of("", content)

    def holds(self, d: Descriptor) -> bool:
        """See :class:`Writing`."""
        with self.store.layout.blob(d.digest).open("rb") as f:
            return f"sha256:{hashlib.file_digest(f, 'sha256').hexdigest()}" == d.digest

    def finish(self, lock: Lock, lock_file: Path, entries: Entries, since: Since | None, bill: str) -> None:
        """See :class:`Writing`."""
        for content in self._documents.values():
            write_bytes_atomically(self.store.layout.blob(digest(content)), content, flush=False)
        small = small_files(lock, lock_file.read_bytes(), entries, self._documents.__getitem__, since, bill)
        for name, text in small.items():
            write_bytes_atomically(self.path / name, text, flush=False)
        _keep(self.path, small.keys() | {BLOBS})
        self._prune({d.digest for _, _, top in entries for d in walk(top, self._documents.__getitem__)})

    def _prune(self, reachable: set[str]) -> None:
        """Remove blobs that earlier runs and other locks left behind."""
        for path in self.store.layout.blobs.glob("*/*"):
            if f"{path.parent.name}:{path.name}" not in reachable:
                path.unlink()


class InParts:
    """Windows of one tar stream: each blob is written to its place in the parts at once."""

    def __init__(self, path: Path, carried: Carried, store: PartsStore) -> None:
        self.path = path
        self.store = store
        self._carried = carried
        self._documents = dict(carried.documents)
        self._later: dict[str, bytes] = {}
        for (key, _), place in _placed(carried):
            if content := carried.documents.get(key):
                self._put(place, content)

    def add(self, content: bytes) -> Descriptor:
        """See :class:`Writing`."""
        key = digest(content)
        if key not in self._documents:
            self._later[key] = self._documents[key] = content
        return Descriptor.of("", content)

    def holds(self, d: Descriptor) -> bool:
        """See :class:`Writing`."""
        key = next(k for k, v in self.store.finished.items() if v == d.digest)
        with self.store.growing(key, d.size, lambda _: None, there=d.size) as content:
            held = content.digest() == d.digest
        if held:  # Its header may not have reached the disk though all of its content has.
            self.store.frame(key, d)
        return held

    def finish(self, lock: Lock, lock_file: Path, entries: Entries, since: Since | None, bill: str) -> None:
        """See :class:`Writing`."""
        small = small_files(lock, lock_file.read_bytes(), entries, self._documents.__getitem__, since, bill)
        last = {blob_path(k): c for k, c in sorted(self._later.items())} | {n: small[n] for n in LAST if n in small}
        first = [
            StreamFile(path=blob_path(self.store.finished.get(k, k)), size=f.size) for k, f in self._carried.stream
        ]
        stream = TarStream([*first, *(StreamFile(path=n, size=len(c)) for n, c in last.items())])
        for place in stream.places[len(first) :]:
            self._put(place, last[place.file.path])
        self.store.put(stream.size - END, bytes(END))
        sizes = part_sizes(stream.size, self.store.part_size)
        for number, size in enumerate(sizes, 1):
            os.truncate(self.path / part_name(number), size)
        _keep(self.path / PARTS, {Path(part_name(n)).name for n in range(1, len(sizes) + 1)})
        for name, content in small.items():
            write_bytes_atomically(self.path / name, content, flush=False)
        Parts(part_size=self.store.part_size, parts=_hashed(self.path, len(sizes)), files=list(stream.files)).write(
            self.path / PARTS_LIST
        )
        _keep(self.path, small.keys() | {PARTS, PARTS_LIST})

    def _put(self, place: Place, content: bytes) -> None:
        whole = header(place.file.path, len(content)) + content + bytes(-len(content) % BLOCK)
        self.store.put(place.header, whole)


LAST = (OCI_LAYOUT, INDEX, BUNDLE, LOCK, SBOM, BOOTSTRAP)
"""The order of the small files, at the end of the stream."""


def _placed(carried: Carried) -> Iterable[tuple[tuple[str, StreamFile], Place]]:
    return zip(carried.stream, TarStream([f for _, f in carried.stream]).places, strict=True)


def _hashed(path: Path, count: int) -> list[Part]:
    def one(number: int) -> Part:
        name = part_name(number)
        with (path / name).open("rb") as f:
            found = hashlib.file_digest(f, "sha256").hexdigest()
        return Part(name=name, size=(path / name).stat().st_size, sha256=found)

    return each(one, range(1, count + 1), os.cpu_count() or 1)


def _keep(directory: Path, names: Iterable[str]) -> None:
    for path in directory.iterdir():
        if path.name not in names:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
