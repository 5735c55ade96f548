"""Reading evidence out of a registry, or out of a bundle: the one interface, and what it is made from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Protocol

from ..errors import NotUpstream
from ..layout import Descriptor, Layout
from ..reference import Reference
from ..registry import Internal, Source, small_blob


@dataclass(frozen=True)
class Referrer:
    """A manifest that says it is about another."""

    descriptor: Descriptor
    artifact_type: str


class Reader(Protocol):
    """Where evidence is read from."""

    def manifest(self, reference: Reference) -> bytes | None:
        """The manifest at a tag or a digest, or None; raises RegistryRefused, or Damaged (other digest)."""
        ...

    def blob(self, reference: Reference, manifest: bytes, d: Descriptor) -> bytes:
        """A small blob of the ``manifest`` at ``reference``; raises NotUpstream, RegistryRefused, Damaged."""
        ...

    def referrers(self, reference: Reference) -> list[Referrer]:
        """What says that it is about ``reference`` (by digest); raises RegistryRefused."""
        ...


@dataclass(frozen=True)
class FromSource:
    """Reads from upstream: by the referrers API, and where a registry has none by the tag that stands in for it."""

    source: Source

    def manifest(self, reference: Reference) -> bytes | None:
        """See :class:`Reader`."""
        try:
            return self.source.raw_manifest(reference)
        except NotUpstream:
            return None

    def blob(self, reference: Reference, manifest: bytes, d: Descriptor) -> bytes:
        """See :class:`Reader`."""
        return small_blob(self.source, reference, d)

    def referrers(self, reference: Reference) -> list[Referrer]:
        """See :class:`Reader`."""
        index = self.source.referrers(reference) or self.manifest(fallback(reference))
        return parse_referrers(index) if index else []


@dataclass(frozen=True)
class FromInternal:
    """Reads what arrived in the internal registry."""

    internal: Internal

    def manifest(self, reference: Reference) -> bytes | None:
        """See :class:`Reader`."""
        try:
            return self.internal.raw_manifest(reference)
        except NotUpstream:
            return None

    def blob(self, reference: Reference, manifest: bytes, d: Descriptor) -> bytes:
        """See :class:`Reader`."""
        return small_blob(self.internal, reference, d)

    def referrers(self, reference: Reference) -> list[Referrer]:
        """See :class:`Reader`: the lock names the digests."""
        return []


@dataclass(frozen=True)
class FromLayout:
    """Reads what a bundle carries; tags and referrers are not looked for, since the lock names the digests."""

    layout: Layout

    def manifest(self, reference: Reference) -> bytes | None:
        """See :class:`Reader`; ``reference`` has a digest."""
        return self.layout.read(str(reference.digest)) if reference.digest else None

    def blob(self, reference: Reference, manifest: bytes, d: Descriptor) -> bytes:
        """See :class:`Reader`."""
        return self.layout.read(d.digest)

    def referrers(self, reference: Reference) -> list[Referrer]:
        """See :class:`Reader`."""
        return []


def fallback(reference: Reference) -> Reference:
    """The tag that stands in for the referrers API where a registry has none.

    https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema
    """
    return Reference(reference.registry, reference.repository, str(reference.digest).replace(":", "-"))


def parse_referrers(index: bytes) -> list[Referrer]:
    """The entries of a referrers index; one that is malformed counts as empty, as anybody may push that tag."""
    try:
        data: dict[str, Any] = json.loads(index)
        return [
            Referrer(Descriptor.parse(m), str(m.get("artifactType") or "")) for m in data.get("manifests") or [] if m
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        return []
