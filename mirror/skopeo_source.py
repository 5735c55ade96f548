"""Images that skopeo reads: from archives, a container engine's storage or a daemon, copied once into an OCI layout.

The copy is made so that it has the same digest each time: the layers are the bytes that were saved, never compressed
again, and what is an OCI layout already is copied as it is.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from . import skopeo
from .distribution.pull import PIECE, Target, exactly
from .errors import BadInput, Damaged, NotUpstream, ToolMissing
from .layout import OCI_LAYER, OCI_MANIFEST, Descriptor, Layout, encode, read_segments
from .reference import Reference
from .registry import Source, Upstream
from .source_map import SourceMap
from .transports import AS_THEY_ARE, Place

_COMPRESSED = {b"\x1f\x8b": "+gzip", b"\x28\xb5\x2f\xfd": "+zstd"}
"""How compressed content begins, and what its media type ends in."""


def sources(source_map: SourceMap) -> Source:
    """Where everything is read from that ``source_map`` says: registries, and what skopeo reads."""
    upstream = Upstream(source_map)
    return SkopeoSource(source_map, upstream) if source_map.images else upstream


@dataclass(frozen=True)
class Copied:
    """An image, copied."""

    place: Place
    layout: Layout
    top: str
    """Digest of its manifest or index."""
    digests: frozenset[str]
    """Of everything that belongs to it."""


class SkopeoSource:
    """The images for which the source map names a place that is no registry; all others come from ``registries``."""

    def __init__(
        self, source_map: SourceMap, registries: Source, find: Callable[[], skopeo.Engine] = skopeo.find
    ) -> None:
        self._map = source_map
        self._registries = registries
        self._find = find
        self._scratch = Path(tempfile.mkdtemp(prefix="sealift-skopeo-"))
        self._copied: dict[Place, Copied] = {}
        self._locks = {place: threading.Lock() for place in source_map.places.values()}
        weakref.finalize(self, shutil.rmtree, self._scratch, ignore_errors=True)

    def raw_manifest(self, reference: Reference) -> bytes:
        """See :class:`Source`."""
        if copied := self._of(reference):
            return copied.layout.read(reference.digest or copied.top)
        if any(str(reference.tag).startswith(c.replace(":", "-")) for c in self._digests_of(reference)):
            raise NotUpstream(str(reference), "it is in no registry", "Sign what is in one.")
        return self._registries.raw_manifest(reference)

    def referrers(self, reference: Reference) -> bytes | None:
        """See :class:`Source`: nothing refers to what is in no registry."""
        return None if self._of(reference) else self._registries.referrers(reference)

    def fetch(self, reference: Reference, d: Descriptor, target: Target) -> None:
        """See :class:`Source`."""
        copied = self._of(reference)
        if copied is None:
            self._registries.fetch(reference, d, target)
            return

        def append(target: Target) -> None:
            segments = copied.layout.segments(d.digest, target.position, d.size)
            for piece in read_segments(segments, memoryview(bytearray(PIECE))):
                target.write(piece)

        if (found := exactly(d.digest, target, append)) != d.digest:
            raise Damaged(f"{copied.place} {d.digest}", f"its content is {found}", "Run the command again.")

    def _of(self, reference: Reference) -> Copied | None:
        """The image that ``reference`` belongs to, by its tag or, where it has none, by its digest."""
        if place := self._map.place(reference):
            copied = self._copy(place)
            if reference.digest and reference.digest not in copied.digests:
                raise Damaged(
                    f"{reference} from {place}",
                    f"it is {copied.top} now",
                    "Give what was locked, read by the same version of skopeo; or lock again.",
                )
            return copied
        if reference.tag or not reference.digest:
            return None
        return next((c for c in self._all_of(reference) if reference.digest in c.digests), None)

    def _all_of(self, reference: Reference) -> Iterator[Copied]:
        for key, place in self._map.places.items():
            if Reference.parse(key).name == reference.name:
                yield self._copy(place)

    def _digests_of(self, reference: Reference) -> Iterator[str]:
        if str(reference.tag).startswith("sha256-"):  # cosign's tags
            for copied in self._all_of(reference):
                yield from copied.digests

    def _copy(self, place: Place) -> Copied:
        with self._locks[place]:
            if place not in self._copied:
                self._copied[place] = self._made(place)
            return self._copied[place]

    def _made(self, place: Place) -> Copied:
        if place.path and not place.path.exists():
            raise BadInput(str(place), "no such file", "Give a path, relative to the source map's directory.")
        engine = self._find()
        if place.path is None and engine is skopeo.container:
            raise ToolMissing("skopeo", f"a container cannot look into {place.transport}", "Install skopeo itself.")
        layout = Layout(self._scratch)
        layout.blobs.mkdir(exist_ok=True)
        own = Layout(Path(tempfile.mkdtemp(dir=self._scratch)))
        kept = ["--all", "--preserve-digests"] if place.transport in AS_THEY_ARE else []
        options = ["--quiet", *kept, "--dest-oci-accept-uncompressed-layers", "--dest-shared-blob-dir"]
        paths = [self._scratch, *([place.path] if place.path else [])]
        copy = ["copy", *options, str(layout.blobs), str(place), f"oci:{own.path}"]
        skopeo.run(engine, copy, paths, str(place))
        top = own.index()[0]
        if not kept:
            top = layout.add(typed(layout.read(top.digest), layout), OCI_MANIFEST)
        return Copied(place, layout, top.digest, frozenset(d.digest for d in layout.walk(top)))


def typed(manifest: bytes, layout: Layout) -> bytes:
    """``manifest`` with each layer's media type as its content is: skopeo says gzip of what it did not compress too."""
    document = json.loads(manifest)
    for layer in document["layers"]:
        segments = layout.segments(layer["digest"], 0, min(layer["size"], 4))
        begins = b"".join(map(bytes, read_segments(segments, memoryview(bytearray(4)))))
        layer["mediaType"] = OCI_LAYER + next((s for m, s in _COMPRESSED.items() if begins.startswith(m)), "")
    return encode(document)
