"""Making again just those files of a bundle that did not arrive: the same lock gives the same bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .atomic import on_disk, write_bytes_atomically
from .bundle import lock_sha256
from .bundle_create import (
    WORKERS,
    Order,
    Preflight,
    bring_into,
    free,
    models_documents,
    plan,
    require_space,
    since,
)
from .bundle_plan import Carried, Item, Weights
from .bundle_write import Entries, small_files
from .errors import BadInput, Damaged
from .growing import FileMedium, Growing, PartsMedium
from .layout import BLOBS, TOP, Descriptor, digest
from .parallel import Stop, parallel
from .parts import blob_path, part_name
from .progress import Report, Silent
from .repair_request import RepairRequest, StreamAt
from .tar_stream import BLOCK, END, Place, TarStream, header


def repair(request: RepairRequest, order: Order, report: Report) -> list[Path]:
    """Make the files of ``request`` below ``order.output``; gives their paths.

    Raises BadInput when the lock or the inventory is not the one of the bundle, Damaged when what upstream gives now
    is not what the bundle held, NotUpstream, RegistryRefused, NoSpace.
    """
    making = _planned(request, order, report)
    with on_disk(order.output):
        return making.parts(request.stream) if request.stream else making.files()


def look(request: RepairRequest, order: Order) -> Preflight:
    """What ``repair`` would fetch and write, without doing it; raises NoSpace and what ``repair`` raises before."""
    making = _planned(request, order, Silent())
    if request.stream:
        fetched: list[Item] = [i for i, _ in making.touching(TarStream(request.stream.files), request.stream)]
        needed = sum(p.size for p in request.stream.parts)
    else:
        fetched = making.fetched
        needed = sum(i.size for i in fetched)
    require_space(order.output, needed)
    return Preflight(sum(i.size for i in fetched), len(fetched), needed, free(order.output), 0)


def _planned(request: RepairRequest, order: Order, report: Report) -> _Repair:
    _same(request, order)
    return _Repair(request, order, plan(order), report, Stop())


def _same(request: RepairRequest, order: Order) -> None:
    if lock_sha256(order.lock_file) != request.lock_sha256:
        raise BadInput(str(order.lock_file), "it is not the lock of the bundle that is to be mended", "Give that lock.")
    given = order.since.sha256 if order.since else None
    if given != request.inventory_sha256:
        raise BadInput("--since", "the bundle was made since another inventory, or none", "Give what it was made with.")


@dataclass(frozen=True)
class _Repair:
    request: RepairRequest
    order: Order
    carried: Carried
    report: Report
    stop: Stop

    @property
    def needs_models(self) -> bool:
        """Whether a file is wanted of a bundle that is not in parts which follows from the models' layers."""
        known = self.carried.documents.keys() | {i.key for i in self.carried.items}
        return bool(set(self.request.blobs) - known) or any(f in TOP for f in self.request.files)

    @property
    def fetched(self) -> list[Item]:
        """What is fetched for a bundle that is not in parts."""
        wanted = set(self.request.blobs)
        return [i for i in self.carried.items if i.key in wanted] + (self.carried.weights if self.needs_models else [])

    def files(self) -> list[Path]:
        """The wanted files of a bundle that is not in parts."""
        wanted, root = set(self.request.blobs), self.order.output
        known, fetched = dict(self.carried.documents), self.fetched
        require_space(root, sum(i.size for i in fetched))
        self.report.begin("bundle repair", sum(i.size for i in fetched))
        made = dict(parallel(self._file, fetched, WORKERS, self.stop))
        if self.needs_models:
            entries = models_documents(self.carried, made, lambda c: known.setdefault(digest(c), c))
            small = self._small(entries, known)
            for name in set(self.request.files) & small.keys():
                write_bytes_atomically(root / name, small[name])
        for key in wanted & known.keys():
            write_bytes_atomically(root / blob_path(key), known[key])
        self._drop({blob_path(d.digest) for d in made.values()} - set(self.request.files))
        if lacking := [f for f in self.request.files if not (root / f).is_file()]:
            raise BadInput(lacking[0], "the lock does not lead to such a file", "Verify the bundle again.")
        return [root / f for f in self.request.files]

    def parts(self, stream: StreamAt) -> list[Path]:
        """The wanted parts: of each file that lies in one, just the bytes that do."""
        laid = TarStream(stream.files)
        wanted, ranges = {p.name: p for p in stream.parts}, _ranges(laid, stream)
        require_space(self.order.output, sum(p.size for p in wanted.values()))
        fetched = self.touching(laid, stream)
        self.report.begin("bundle repair", sum(i.size for i, _ in fetched))
        parallel(lambda f: self._within(f[0], f[1], ranges, stream.part_size), fetched, WORKERS, self.stop)
        self._documents(laid, _touched(laid, ranges), ranges, stream.part_size)
        for part in wanted.values():
            with (self.order.output / part.name).open("rb") as f:
                found = hashlib.file_digest(f, "sha256").hexdigest()
            if found != part.sha256:
                raise Damaged(part.name, f"made again its sha256 is {found}, not {part.sha256}", "Make a new bundle.")
        return [self.order.output / n for n in sorted(wanted)]

    def touching(self, laid: TarStream, stream: StreamAt) -> list[tuple[Item, Place]]:
        """What is fetched because some of it lies in the wanted parts, and where it lies."""
        items = self._items(laid)
        touched = _touched(laid, _ranges(laid, stream))
        return [(items[k], place) for k, place in touched.items() if k in items]

    def _items(self, laid: TarStream) -> dict[str, Item]:
        """What is fetched, by its path in the stream: the plan's order is the stream's."""
        planned = self.carried.stream
        if [f.size for _, f in planned] != [p.file.size for p in laid.places[: len(planned)]]:
            raise BadInput("the request", "its stream is not what this lock gives", "Verify the bundle again.")
        by_key = {i.key: i for i in [*self.carried.items, *self.carried.weights]}
        return {
            place.file.path: by_key[key] for (key, _), place in zip(planned, laid.places, strict=False) if key in by_key
        }

    def _within(self, item: Item, place: Place, ranges: list[tuple[int, int]], part_size: int) -> None:
        """Fetch ``item`` and keep what of it lies in the wanted parts.

        The whole is fetched, as only the whole can be checked by its digest.
        """
        moving = self.report.item(str(item), item.size)
        medium = _Clipped(PartsMedium(self.order.output, 0, part_size, lambda _: None), place.content, ranges)

        def advance(count: int) -> None:
            self.stop.check()
            moving.advance(count)

        try:
            content = Growing(medium, item.size, 0, advance)
            d = bring_into(item, content, self.order)
            medium.put(-BLOCK, memoryview(header(blob_path(d.digest), d.size)))
            medium.put(d.size, memoryview(bytes(-d.size % BLOCK)))
        finally:
            medium.close()
            moving.done()

    def _documents(
        self, laid: TarStream, touched: Mapping[str, Place], ranges: list[tuple[int, int]], part_size: int
    ) -> None:
        """What is not fetched as a blob: manifests, the models' documents, the small files and the stream's end."""
        small = {blob_path(k): c for k, c in self.carried.documents.items()}
        if any(path not in small and path not in self._items(laid) for path in touched):
            small |= self._later()
        medium = _Clipped(PartsMedium(self.order.output, 0, part_size, lambda _: None), 0, ranges)
        try:
            for path, place in touched.items():
                if content := small.get(path):
                    medium.put(place.header, memoryview(header(path, len(content)) + content))
                    medium.put(place.content + len(content), memoryview(bytes(-len(content) % BLOCK)))
            medium.put(laid.size - END, memoryview(bytes(END)))
        finally:
            medium.close()

    def _later(self) -> dict[str, bytes]:
        """What follows from the models' layers: their digests stand in the request's own names."""
        laid = TarStream(self.request.stream.files if self.request.stream else [])
        known = dict(self.carried.documents)
        made = {}
        for (key, file), place in zip(self.carried.stream, laid.places, strict=False):
            if key.startswith("layer-"):
                named = place.file.path.removeprefix(f"{BLOBS}/").replace("/", ":")
                made[key] = Weights.layer(named, file.size)
        entries = models_documents(self.carried, made, lambda c: known.setdefault(digest(c), c))
        return {blob_path(k): c for k, c in known.items()} | self._small(entries, known)

    def _small(self, entries: Entries, known: Mapping[str, bytes]) -> dict[str, bytes]:
        """The files beside the blobs, by name."""
        text = self.order.lock_file.read_bytes()
        return small_files(self.order.lock, text, entries, known.__getitem__, since(self.order, self.carried))

    def _file(self, item: Item) -> tuple[str, Descriptor]:
        """``item`` in a file of its own."""
        moving = self.report.item(str(item), item.size)
        temporary = self.order.output / BLOBS / f"{item.key.replace(':', '-')}.partial"

        def advance(count: int) -> None:
            self.stop.check()
            moving.advance(count)

        medium = FileMedium(temporary)
        try:
            d = bring_into(item, Growing(medium, item.size, medium.length, advance), self.order)
        finally:
            medium.close()
            moving.done()
        target = self.order.output / blob_path(d.digest)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.replace(target)
        return item.key, d

    def _drop(self, names: set[str]) -> None:
        for name in names:
            (self.order.output / name).unlink(missing_ok=True)


def _ranges(laid: TarStream, stream: StreamAt) -> list[tuple[int, int]]:
    """Which bytes of the stream the wanted parts are; raises BadInput."""
    starts = {part_name(n + 1): n * stream.part_size for n in range(-(-laid.size // stream.part_size))}
    if unknown := {p.name for p in stream.parts} - starts.keys():
        raise BadInput(min(unknown), "the stream has no such part", "Verify the bundle again.")
    return [(starts[p.name], starts[p.name] + p.size) for p in stream.parts]


def _touched(laid: TarStream, ranges: list[tuple[int, int]]) -> dict[str, Place]:
    return {p.file.path: p for start, end in ranges for p in laid.places if p.header < end and p.end > start}


class _Clipped:
    """Keeps of what is written only that which lies in ``ranges`` of the stream."""

    def __init__(self, parts: PartsMedium, offset: int, ranges: list[tuple[int, int]]) -> None:
        self._parts = parts
        self._offset = offset
        self._ranges = ranges

    def put(self, position: int, piece: memoryview) -> None:
        """See growing.Medium."""
        start = self._offset + position
        for low, high in self._ranges:
            first, last = max(low, start), min(high, start + len(piece))
            if first < last:
                self._parts.put(first, piece[first - start : last - start])

    def get(self, position: int, buffer: memoryview) -> int:
        """See growing.Medium: what was left out cannot be read again."""
        return 0

    def note(self, position: int) -> None:
        """See growing.Medium."""

    def close(self) -> None:
        """See growing.Medium."""
        self._parts.close()
