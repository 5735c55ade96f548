"""Sending a bundle's content: each blob once, mounted where it is wanted again, manifests when all below is there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import BinaryIO

from msgspec import Struct, field

from .distribution.push import OpenAt, Segment
from .errors import RegistryRefused, SealiftError
from .layout import INDEXES, MANIFESTS, Descriptor, Layout
from .parallel import Stop, parallel
from .progress import Report
from .reference import Reference
from .registry import Internal

SENDERS = 4
"""How many blobs are sent at the same time."""
ASKERS = 8
"""How many small questions are asked at the same time."""


class Outgoing(Struct, frozen=True):
    """An entry that is to be sent."""

    top: Descriptor
    target: Reference
    """Its name by digest."""
    tagged: Reference


class Shipment(Struct, frozen=True):
    """What sending means in requests: a pure function of the layout and the entries."""

    items: Sequence[Outgoing]
    blobs: Mapping[str, Descriptor]
    """Everything that is no manifest, by digest."""
    wanted: Mapping[str, Sequence[Reference]]
    """Digest of each blob -> the repositories that are to have it, the first of which gets it over the wire."""
    below: Mapping[Outgoing, Sequence[Descriptor]]
    """The blobs of each entry."""
    manifests: Mapping[Outgoing, Sequence[Descriptor]]
    """What is stored for an entry when its blobs are there, the top last."""


def shipment(layout: Layout, items: Iterable[Outgoing]) -> Shipment:
    """What sending ``items`` of ``layout`` means; raises Damaged."""
    blobs: dict[str, Descriptor] = {}
    wanted: dict[str, dict[str, Reference]] = {}
    below, manifests = {}, {}
    listed = list(items)
    for item in listed:
        walked = layout.walk(item.top)
        below[item] = [d for d in walked if d.media_type not in INDEXES | MANIFESTS]
        for d in below[item]:
            blobs[d.digest] = d
            wanted.setdefault(d.digest, {})[item.target.repository] = item.target
        tops = [d for d in walked if d.media_type in INDEXES | MANIFESTS]
        manifests[item] = sorted(tops, key=lambda d: (d.digest == item.top.digest, d.media_type in INDEXES))
    return Shipment(listed, blobs, {k: list(v.values()) for k, v in wanted.items()}, below, manifests)


class Sending(Struct):
    """Carries out a shipment. What fails is noted and the rest goes on."""

    internal: Internal
    layout: Layout
    report: Report
    held: Mapping[str, str] = field(default_factory=dict)
    """Digest -> a repository of the registry that has it, as far as is known."""
    stop: Stop = field(default_factory=Stop)
    failed: dict[tuple[str, str], str] = field(default_factory=dict)
    """Repository and digest -> why."""

    def run(self, planned: Shipment) -> dict[Outgoing, str]:
        """Send; gives what did not arrive, and why."""
        pairs = [(r, planned.blobs[k]) for k, rs in planned.wanted.items() for r in rs]
        there = parallel(lambda p: self._tried(p[0], p[1], lambda: self._there(*p)), pairs, ASKERS, self.stop)
        has = {k: v for k, v in self.held.items() if k in planned.blobs}
        has |= {d.digest: r.repository for (r, d), yes in zip(pairs, there, strict=True) if yes}
        lacking = [
            p
            for p, yes in zip(pairs, there, strict=True)
            if not yes and (p[0].repository, p[1].digest) not in self.failed
        ]
        first = {d.digest: (r, d) for r, d in reversed(lacking) if d.digest not in has}
        self.report.begin("load", sum(d.size for _, d in first.values()))
        parallel(lambda p: self._tried(*p, lambda: self._send(*p)), _largest_first(first.values()), SENDERS, self.stop)
        has |= {k: r.repository for k, (r, _) in first.items() if (r.repository, k) not in self.failed}
        again = [p for p in lacking if first.get(p[1].digest) != p]
        parallel(lambda p: self._tried(*p, lambda: self._mount(*p, has)), again, ASKERS, self.stop)
        done = parallel(lambda i: self._finish(i, planned), planned.items, ASKERS, self.stop)
        return {i: why for i, why in zip(planned.items, done, strict=True) if why}

    def _tried(self, reference: Reference, d: Descriptor, work: Callable[[], bool]) -> bool:
        try:
            return work()
        except SealiftError as e:
            self.failed[reference.repository, d.digest] = e.why
            return False

    def _there(self, reference: Reference, d: Descriptor) -> bool:
        self.stop.check()
        return self.internal.has_blob(reference, d)

    def _send(self, reference: Reference, d: Descriptor) -> bool:
        if self.layout.size(d.digest) != d.size:
            raise RegistryRefused(
                d.digest, "the bundle does not hold it, nor does the registry", "Take a whole bundle."
            )
        moving = self.report.item(f"{reference.repository} {d.digest[7:19]}", d.size)

        def sent(count: int) -> None:
            self.stop.check()
            moving.advance(count)

        try:
            with opened(self.layout, d.digest) as open_at:
                self.internal.send(reference, d, open_at, sent)
        finally:
            moving.done()
        return True

    def _mount(self, reference: Reference, d: Descriptor, has: Mapping[str, str]) -> bool:
        self.stop.check()
        other = has.get(d.digest)
        if other is None:
            raise RegistryRefused(str(reference), f"{d.digest} did not arrive", "Run sealift load again.")
        if self.internal.mount(reference, d, other):
            return True
        # Registries that do not mount may keep blobs once for all repositories.
        return self.internal.has_blob(reference, d) or self._send(reference, d)

    def _finish(self, item: Outgoing, planned: Shipment) -> str | None:
        """Store the entry's manifests; why not, or None."""
        self.stop.check()
        for d in planned.below[item]:
            if why := self.failed.get((item.target.repository, d.digest)):
                return why
        try:
            for d in planned.manifests[item]:
                name = item.tagged if d.digest == item.top.digest else item.target.with_digest(d.digest).pinned()
                self.internal.put_manifest(name, self.layout.read(d.digest), d.media_type)
            if not self.internal.holds(item.target):
                return "the registry took it and does not answer for its digest"
        except SealiftError as e:
            return e.why
        return None


@contextmanager
def opened(layout: Layout, digest: str) -> Iterator[OpenAt]:
    """A blob of ``layout``, its files open until the context ends."""
    with ExitStack() as files:
        open_files: dict[str, BinaryIO] = {}

        def open_at(start: int, end: int) -> Sequence[Segment]:
            found = []
            for s in layout.segments(digest, start, end):
                if str(s.path) not in open_files:
                    open_files[str(s.path)] = files.enter_context(s.path.open("rb"))
                found.append((open_files[str(s.path)], s.offset, s.count))
            return found

        yield open_at


def _largest_first(pairs: Iterable[tuple[Reference, Descriptor]]) -> list[tuple[Reference, Descriptor]]:
    """The largest first, so that nothing long is begun last; before all the smallest, which teaches most for least."""
    ordered = sorted(pairs, key=lambda p: (-p[1].size, p[1].digest))
    return [*ordered[-1:], *ordered[:-1]]
