"""The manifests of what a lock names, read from upstream and compared with the lock before a blob is fetched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .bundle import Kind, Plan
from .errors import Damaged
from .evidence.find import wrapped
from .layout import INDEXES, Descriptor, digest, links, media_type
from .lock import LockedEvidence, LockedImage
from .parallel import parallel
from .platforms import cut
from .reference import Reference
from .registry import Source

AT_ONCE = 8
"""How many are asked for at the same time; each costs a few small requests."""


@dataclass(frozen=True)
class Resolved:
    """An image, chart or piece of evidence whose manifests have been read and agree with the lock."""

    kind: Kind
    name: str
    """The name as the lock has it."""
    top: bytes
    leaves: Mapping[str, bytes]
    """Digest of each manifest that has config and layers -> the manifest."""
    at_hand: Mapping[str, bytes]
    """Digest of each blob that was read already -> its content."""

    @property
    def blobs(self) -> dict[str, tuple[Descriptor, Reference]]:
        """Config and layers of all leaves, and the manifest under which upstream has them, by digest."""
        named = Reference.parse(self.name)
        return {d.digest: (d, named.with_digest(m)) for m, c in self.leaves.items() for d in links(c, self.name)}

    @property
    def documents(self) -> list[bytes]:
        """All manifests, the one on top last."""
        below = [m for d, m in sorted(self.leaves.items()) if m != self.top]
        return [*below, self.top]


def resolve(plan: Plan, source: Source) -> list[Resolved]:
    """Everything of ``plan`` that has manifests upstream; raises NotUpstream, RegistryRefused, Damaged."""
    reading = _Reading(source, plan.platforms)
    fetched = [e for e in plan.evidence if e.kind != "index"]
    return [
        *parallel(reading.image, plan.images, AT_ONCE),
        *parallel(lambda c: reading.pinned("chart", c.reference, c.digest), plan.charts, AT_ONCE),
        *parallel(lambda e: reading.pinned("evidence", e.reference, e.digest), fetched, AT_ONCE),
        *parallel(reading.upstream_index, [e for e in plan.evidence if e.kind == "index"], AT_ONCE),
    ]


@dataclass(frozen=True)
class _Reading:
    source: Source
    platforms: Sequence[str]

    def image(self, image: LockedImage) -> Resolved:
        content = self.source.raw_manifest(Reference.parse(image.reference).with_digest(image.upstream_digest))
        return self._resolved("image", image.reference, image.digest, cut(content, self.platforms) or content)

    def pinned(self, kind: Kind, name: str, locked: str) -> Resolved:
        return self._resolved(kind, name, locked, self.source.raw_manifest(Reference.parse(name).with_digest(locked)))

    def upstream_index(self, evidence: LockedEvidence) -> Resolved:
        """Upstream's own index, as a file: signatures are about it, and the carried one was cut from it."""
        reference = Reference.parse(evidence.reference)
        content = self.source.raw_manifest(reference.with_digest(evidence.subject))
        made = wrapped(reference, evidence.subject, content)
        if made.locked.digest != evidence.digest:
            raise Damaged(
                evidence.reference, f"it is {made.locked.digest}, the lock says {evidence.digest}", "Lock again."
            )
        at_hand = {evidence.subject: content, digest(b"{}"): b"{}"}
        return Resolved("evidence", evidence.reference, made.manifest, {evidence.digest: made.manifest}, at_hand)

    def _resolved(self, kind: Kind, name: str, locked: str, top: bytes) -> Resolved:
        if digest(top) != locked:
            raise Damaged(name, f"cut to the platforms it is {digest(top)}, the lock says {locked}", "Lock again.")
        if media_type(top, name) not in INDEXES:
            return Resolved(kind, name, top, {locked: top}, {})
        reference = Reference.parse(name)
        below = [d.digest for d in links(top, name)]
        return Resolved(kind, name, top, {d: self.source.raw_manifest(reference.with_digest(d)) for d in below}, {})
