"""Registries: reading from those outside, and reading from and writing to the one inside."""

from __future__ import annotations

import threading
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct, field

from .distribution import listing, pull, push
from .distribution.credentials import Credentials
from .distribution.endpoint import Client, Endpoint
from .distribution.pull import Target
from .distribution.push import OpenAt, Sent, Uploads
from .errors import BadInput, Damaged, NotUpstream
from .layout import Descriptor, digest, links
from .parallel import each
from .reference import Reference

# What reads documents is imported when it is needed: asking the registry inside starts sooner without it.
if TYPE_CHECKING:
    from .source_map import SourceMap

CHART_LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
ASKERS = 8
"""How many small questions are asked at the same time."""
SMALL_BLOB = 64 << 20
"""Bytes of a blob that is read into memory: charts, evidence."""


class Source(Protocol):
    """Where images and charts come from, by their upstream names."""

    def raw_manifest(self, reference: Reference) -> bytes:
        """The bytes of the manifest or index; raises NotUpstream, RegistryRefused, or Damaged (other digest)."""
        ...

    def referrers(self, reference: Reference) -> bytes | None:
        """The index of what refers to ``reference`` (by digest), or None; raises RegistryRefused."""
        ...

    def fetch(self, reference: Reference, d: Descriptor, target: Target) -> None:
        """Bring the blob ``d`` of the repository of ``reference`` into ``target``, going on at its position.

        Raises NotUpstream, RegistryRefused, Damaged, and what ``target`` raises.
        """
        ...


def _nothing_mapped() -> SourceMap:
    from .source_map import SourceMap

    return SourceMap.none()


class Upstream(Struct, frozen=True):
    """The registries of the connected side, hosts replaced by a source map."""

    source_map: SourceMap = field(default_factory=_nothing_mapped)
    client: Client = field(default_factory=lambda: Client(Credentials.of_this_person()))

    def raw_manifest(self, reference: Reference) -> bytes:
        """See :class:`Source`."""
        endpoint, repository = self._at(reference)
        return pull.manifest(endpoint, repository, reference.digest or str(reference.tag), str(reference))

    def referrers(self, reference: Reference) -> bytes | None:
        """See :class:`Source`."""
        endpoint, repository = self._at(reference)
        return pull.referrers(endpoint, repository, str(reference.digest), str(reference))

    def fetch(self, reference: Reference, d: Descriptor, target: Target) -> None:
        """See :class:`Source`."""
        endpoint, repository = self._at(reference)
        pull.blob(endpoint, repository, d, target, str(reference))

    def _at(self, reference: Reference) -> tuple[Endpoint, str]:
        name, plain = self.source_map.image(reference)
        return self.client.endpoint(name.registry, plain=plain), name.repository


def small_blob(source: Source, reference: Reference, d: Descriptor) -> bytes:
    """A small blob's content, checked by its digest; raises Damaged for a large one, and what ``source`` raises."""
    if d.size > SMALL_BLOB:
        raise Damaged(f"{reference} {d.digest}", f"it has {d.size:,} bytes, too many for what it is", "Leave it out.")
    from .growing import InMemory

    target = InMemory()
    source.fetch(reference, d, target)
    return bytes(target.content)


def pull_chart(source: Source, reference: Reference, directory: Path) -> Path:
    """Fetch a chart into ``directory`` as ``<name>-<version>.tgz``; raises NotUpstream, RegistryRefused."""
    directory.mkdir(parents=True, exist_ok=True)
    manifest = source.raw_manifest(reference)
    layer = chart_layer(manifest, str(reference))
    path = directory / f"{reference.repository.rpartition('/')[2]}-{reference.tag or 'chart'}.tgz"
    path.write_bytes(small_blob(source, reference, layer))
    return path


def chart_layer(manifest: bytes, origin: str) -> Descriptor:
    """The chart archive in a chart's manifest; raises NotUpstream when it is no chart."""
    for d in links(manifest, origin):
        if d.media_type == CHART_LAYER:
            return d
    raise NotUpstream(origin, "it is no Helm chart", f"Name an artifact with a layer {CHART_LAYER}.")


class Internal(Struct):
    """The registry inside. TLS, unless the person who loads said that it speaks plain HTTP."""

    client: Client
    plain: bool = False
    locations: MutableMapping[str, str] = field(default_factory=dict)
    """Where large uploads stand, for the next run."""
    _uploads: dict[str, Uploads] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def holds(self, reference: Reference) -> bool:
        """Whether the registry answers for ``reference`` (by digest) with exactly these bytes.

        Raises RegistryRefused when it cannot be asked.
        """
        try:
            self.raw_manifest(reference)
        except (NotUpstream, Damaged):
            return False
        return True

    def held(self, references: Sequence[Reference]) -> set[Reference]:
        """Those of ``references`` (by digest) that the registry holds, byte for byte; raises RegistryRefused."""
        if references:
            self.holds(references[0])  # One question alone first: a registry that is down is not asked 60 times.
        there = each(self.holds, references, ASKERS)
        return {r for r, holds in zip(references, there, strict=True) if holds}

    def raw_manifest(self, reference: Reference) -> bytes:
        """The bytes at ``reference``; raises NotUpstream, RegistryRefused, or Damaged (other digest)."""
        wanted = reference.digest or str(reference.tag)
        return pull.manifest(self._endpoint(reference), reference.repository, wanted, str(reference))

    def referrers(self, reference: Reference) -> bytes | None:
        """The index of what refers to ``reference`` (by digest), or None; raises RegistryRefused."""
        return pull.referrers(self._endpoint(reference), reference.repository, str(reference.digest), str(reference))

    def fetch(self, reference: Reference, d: Descriptor, target: Target) -> None:
        """See :class:`Source`."""
        pull.blob(self._endpoint(reference), reference.repository, d, target, str(reference))

    def has_blob(self, reference: Reference, d: Descriptor) -> bool:
        """Whether the repository of ``reference`` has the blob; raises RegistryRefused."""
        return push.exists(self._endpoint(reference), reference.repository, d)

    def mount(self, reference: Reference, d: Descriptor, other: str) -> bool:
        """Make a blob of the repository ``other`` one of that of ``reference``; False when the registry will not."""
        return self._uploads_to(reference).mount(reference.repository, d, other)

    def send(self, reference: Reference, d: Descriptor, open_at: OpenAt, sent: Sent) -> None:
        """Upload a blob to the repository of ``reference``; raises RegistryRefused."""
        self._uploads_to(reference).send(reference.repository, d, open_at, sent)

    def put_manifest(self, reference: Reference, content: bytes, media_type: str) -> None:
        """Store a manifest under the tag of ``reference``, else under its digest; raises RegistryRefused."""
        name = reference.tag or digest(content)
        push.manifest(self._endpoint(reference), reference.repository, name, content, media_type)

    def repositories(self, host: str) -> list[str]:
        """All repositories of the registry, sorted; raises RegistryRefused when it does not tell."""
        return listing.repositories(self.client.endpoint(host, plain=self.plain))

    def tags(self, reference: Reference) -> list[str]:
        """The tags of the repository of ``reference``, sorted; raises RegistryRefused."""
        return listing.tags(self._endpoint(reference), reference.repository)

    def delete_manifest(self, reference: Reference) -> bool:
        """Delete the manifest at ``reference`` (by digest), its tags with it; False when it is not there."""
        return listing.delete_manifest(self._endpoint(reference), reference.repository, str(reference.digest))

    def _endpoint(self, reference: Reference) -> Endpoint:
        return self.client.endpoint(reference.registry, plain=self.plain)

    def _uploads_to(self, reference: Reference) -> Uploads:
        with self._lock:
            if reference.registry not in self._uploads:
                self._uploads[reference.registry] = Uploads(self._endpoint(reference), self.locations)
            return self._uploads[reference.registry]


@contextmanager
def internal(ca_file: Path | None, authfile: Path | None, *, plain: bool = False) -> Iterator[Internal]:
    """The internal registry, trusted by ``ca_file`` (PEM) beside the system's; raises BadInput for unreadable files."""
    for path in (ca_file, authfile):
        if path and not path.is_file():
            raise BadInput(str(path), "no such file", "Give a readable file.")
    credentials = Credentials.read(authfile) if authfile else Credentials.of_this_person()
    yield Internal(Client(credentials, ca_file), plain)
