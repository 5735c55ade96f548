"""Making a bundle: what the plan says is fetched, each byte once, straight to where it stays."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from . import bundle_write
from .atomic import on_disk
from .bundle import Bundle, Kind, Plan, Since, lock_sha256
from .bundle_plan import Blob, Carried, Item, Web, Weights
from .bundle_write import Writing, bill_of_materials, writing
from .distribution.endpoint import Client
from .errors import BadInput, NoSpace
from .growing import Advance, Growing
from .inventory import Inventory
from .layout import OCI_INDEX, PARTIAL, Descriptor
from .lock import Lock
from .manifests import resolve
from .model_image import compose
from .parallel import Stop, parallel
from .progress import Moving, Report, Silent, duration, size
from .registry import Source
from .source_map import SourceMap
from .taste import Enough, Taste
from .web import fetch as fetch_web
from .web import read as read_given
from .weights import bring, bring_raw, check_given

WORKERS = 4
"""How many blobs are fetched at the same time."""
MARGIN = 64 << 20
"""Bytes that stay free beyond what is computed: directories, the small files, the file system's own."""


@dataclass(frozen=True)
class Order:
    """What is to be made, and from what."""

    lock_file: Path
    output: Path
    source: Source
    source_map: SourceMap
    directories: Mapping[str, Path] = field(default_factory=dict)
    """Where the weights of models that come from a directory lie, by the model's name."""
    part_size: int | None = None
    since: Inventory | None = None
    """What the other side has already: it is left out."""
    web: Client = field(default_factory=Client)
    wheel: Path | None = None
    """The project's own wheel, where the lock has one that no URL has."""

    @cached_property
    def lock(self) -> Lock:
        """What the lock file holds; raises BadInput."""
        return Lock.read(self.lock_file)

    @property
    def partial(self) -> Path:
        """Where it is made."""
        return self.output.with_name(self.output.name + PARTIAL)


class Preflight(NamedTuple):
    """What is going to happen, in bytes."""

    fetch: int
    blobs: int
    """How many are fetched, in whole or in part."""
    needed: int
    """On the disk, beyond what is there already."""
    free: int
    left_out: int
    """Because the other side has it."""


def create(order: Order, report: Report) -> Bundle:
    """Make the bundle; what an interrupted run left in ``output``.partial is gone on with.

    An ``output`` that already is this lock's bundle is returned as it is. Raises BadInput when it is another's,
    NoSpace (before a blob is fetched, or when others fill the disk meanwhile), NotUpstream, RegistryRefused, Damaged,
    and KeyboardInterrupt (Ctrl-C).
    """
    if order.output.exists():
        return _whole_already(order, report)
    with ThreadPoolExecutor(1) as aside:
        bill = aside.submit(bill_of_materials, order.lock, lock_sha256(order.lock_file))
        carried = plan(order)  # Registries are waited for meanwhile.
        require_space(order.partial, _preflight_of_nothing(carried) if not order.partial.exists() else 0)
        _write(order, carried, bill, report)
    order.partial.rename(order.output)
    return Bundle.open(order.output, order.lock)


def _write(order: Order, carried: Carried, bill: Future[str], report: Report) -> None:
    stop = Stop()
    with on_disk(order.partial), writing(order.partial, carried, order.part_size) as target:
        before = preflight(carried, target.store.there, target.path)
        report.say(describe(before))
        require_space(order.partial, before.needed)
        report.begin("bundle create", before.fetch)
        making = _Making(order, target, report, stop)
        made = dict(parallel(making.bring, carried.fetched, WORKERS, stop))
        entries = models_documents(carried, made, target.add)
        target.finish(order.lock, order.lock_file, entries, since(order, carried), bill.result())


def plan(order: Order) -> Carried:
    """What is carried: reads every manifest from upstream and no blob; raises BadInput, NotUpstream, Damaged."""
    wanted = Plan.of(order.lock)
    check_given({m.name: m.origin for m in wanted.models}, dict(order.directories))
    for member in (m for kit in wanted.kits for m in kit.members if m.url is None):
        given_wheel(Web(None, member.file), order.wheel)
    resolved = resolve(wanted, order.source)
    if order.since is None:
        return Carried(wanted, resolved, {}, {})
    images = {k: d for r in resolved if r.kind == "image" for k, (d, _) in r.blobs.items()}
    weights = [Weights(m, f) for m in wanted.models for f in m.files]
    return Carried(
        wanted,
        resolved,
        {k: d for k, d in images.items() if order.since.sizes.get(k) == d.size},
        {w.key: layer for w in weights if (layer := order.since.layer(w.file))},
    )


def preflight(carried: Carried, there: Callable[[str, int], int], path: Path) -> Preflight:
    """The bytes that are going to be fetched and written at ``path``, with what is ``there`` already taken off."""
    left = [(i, i.size - there(i.key, i.size)) for i in carried.fetched]
    fetch = sum(n for _, n in left)
    left_out = sum(d.size for d in [*carried.omitted.values(), *carried.layers.values()])
    return Preflight(fetch, sum(1 for _, n in left if n), fetch + MARGIN, free(path), left_out)


def describe(before: Preflight, rate: float | None = None) -> str:
    """A preflight in words; ``rate`` in bytes a second, where it was measured."""
    said = f"{size(before.fetch)} to fetch in {before.blobs} blobs; {size(before.needed)} of disk are needed, "
    said += f"{size(before.free)} are free"
    said += f"; {size(before.left_out)} are there already and stay away" if before.left_out else ""
    return said + (f"; about {duration(before.fetch / rate)} at {size(int(rate))}/s" if rate else "")


def _preflight_of_nothing(carried: Carried) -> int:
    return sum(i.size for i in carried.fetched) + MARGIN


def _whole_already(order: Order, report: Report) -> Bundle:
    bundle = Bundle.open(order.output)
    same = bundle.contents.lock_sha256 == lock_sha256(order.lock_file)
    if (
        same
        and bundle.part_size == order.part_size
        and _inventory(bundle) == (order.since.sha256 if order.since else None)
    ):
        report.say(f"{order.output} is whole already")
        return bundle
    what = "made in another way (--part-size, --since)" if same else "the bundle of another lock"
    raise BadInput(str(order.output), f"it is {what}", "Give another --output, or move it away.")


def _inventory(bundle: Bundle) -> str | None:
    return bundle.contents.since.inventory_sha256 if bundle.contents.since else None


def since(order: Order, carried: Carried) -> Since | None:
    """What bundle.json says of what was left out."""
    if order.since is None:
        return None
    left_out = {d.digest: d.size for d in [*carried.omitted.values(), *carried.layers.values()]}
    return Since(
        registry=order.since.registry,
        inventory_sha256=order.since.sha256,
        omitted={k: left_out[k] for k in sorted(left_out)},
        held={k: order.since.blobs[k].repository for k in sorted(left_out)},
    )


@dataclass(frozen=True)
class _Making:
    order: Order
    target: Writing
    report: Report
    stop: Stop

    def bring(self, item: Item) -> tuple[str, Descriptor]:
        """``item`` brought to its place; its key and what it is."""
        store = self.target.store
        if found := store.done(item.key):
            if not store.rebooted or self.target.holds(found):
                return item.key, found
            store.forget(item.key)
        moving = self.report.item(str(item), item.size)
        try:
            with store.growing(item.key, item.size, self._advance(moving)) as content:
                d = bring_into(item, content, self.order)
            store.finish(item.key, d)
        finally:
            moving.done()
        return item.key, d

    def _advance(self, moving: Moving) -> Advance:
        def advance(count: int) -> None:
            self.stop.check()
            moving.advance(count)

        return advance


def bring_into(item: Item, content: Growing, order: Order) -> Descriptor:
    """Fill ``content`` with ``item``, going on where it is; raises Damaged, NotUpstream, RegistryRefused, NoSpace."""
    if isinstance(item, Blob):
        order.source.fetch(item.reference, item.d, content)
        return item.d
    if isinstance(item, Web) and item.url:
        fetch_web(order.web, order.source_map.url(item.url), item.file, content)
        return item.d
    if isinstance(item, Web):
        read_given(given_wheel(item, order.wheel), item.file, content)
        return item.d
    return bring(item, content, order.source, order.web, order.source_map, order.directories.get(item.model.name))


def given_wheel(item: Web, wheel: Path | None) -> Path:
    """Where ``item``, which no URL has, lies; raises BadInput when it was not given."""
    if wheel is None:
        raise BadInput(str(item), "it is the project's own wheel, and no URL has it", "Give --wheel FILE.")
    return wheel


def models_documents(
    carried: Carried, made: Mapping[str, Descriptor], add: Callable[[bytes], object]
) -> list[tuple[Kind, str, Descriptor]]:
    """All entries of the bundle; ``add`` is given the models' documents, which follow from the layers in ``made``."""
    entries = list(carried.entries())
    for model in carried.plan.models:
        keys = [Weights(model, f).key for f in model.files]
        layers = [made[k] if k in made else carried.layers[k] for k in keys]
        image = compose(model, carried.plan.platforms, layers)
        for content in [*(c for _, c in image.documents), image.index]:
            add(content)
        entries.append(("model", model.reference, Descriptor.of(OCI_INDEX, image.index)))
    return entries


def look(order: Order) -> tuple[Carried, Preflight, float | None]:
    """What ``create`` would do, without doing it: the plan, its bytes, and the rate at which a first piece came.

    What an interrupted run left is taken off, as ``create`` goes on with it; of a bundle that is whole nothing is left.
    Raises NoSpace when it cannot fit, and what ``create`` raises before it fetches.
    """
    carried = plan(order)
    if order.output.exists():
        _whole_already(order, Silent())
        return carried, Preflight(0, 0, 0, free(order.output), 0), None
    there = bundle_write.there(order.partial, carried, order.part_size)
    before = preflight(carried, there, order.partial)
    require_space(order.partial, before.needed)
    left = [i for i in carried.fetched if there(i.key, i.size) < i.size]
    return carried, before, measured(order, left)


def measured(order: Order, items: Sequence[Item]) -> float | None:
    """Bytes a second at which the beginning of the largest of ``items`` comes; None when none comes from afar."""
    afar = [i for i in items if not _given(i, order)]
    if not afar:
        return None
    taste, largest = Taste(), max(afar, key=lambda i: i.size)
    with contextlib.suppress(Enough):
        if isinstance(largest, Blob):
            order.source.fetch(largest.reference, largest.d, taste)
        elif isinstance(largest, Web):
            fetch_web(order.web, order.source_map.url(str(largest.url)), largest.file, taste)
        else:
            bring_raw(largest, taste, order.source, order.web, order.source_map)
    return taste.rate


def _given(item: Item, order: Order) -> bool:
    """Whether the packer's own machine has it."""
    if isinstance(item, Web):
        return item.url is None
    return isinstance(item, Weights) and item.model.name in order.directories


def require_space(directory: Path, needed: int) -> None:
    """Raise NoSpace unless the file system of ``directory`` (or of its nearest parent that exists) has room."""
    there = free(directory)
    if there < needed:
        raise NoSpace(
            str(directory), f"{needed:,} bytes are needed and {there:,} are free", "Make room or write elsewhere."
        )


def free(directory: Path) -> int:
    """Bytes that are free where ``directory`` is or is going to be."""
    existing = next(p for p in [directory, *directory.absolute().parents] if p.exists())
    return shutil.disk_usage(existing).free
