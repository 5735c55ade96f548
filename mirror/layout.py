"""The files of a bundle, every name in one place, and reading and writing of the OCI image layout that it is.

Source of the format: https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msgspec import Struct

from .atomic import write_atomically, write_bytes_atomically
from .errors import Damaged, NotUpstream

OCI_LAYOUT = "oci-layout"
OCI_LAYOUT_TEXT = '{"imageLayoutVersion":"1.0.0"}'
INDEX = "index.json"
BLOBS = "blobs"
LOCK = "sealift.lock"
BUNDLE = "bundle.json"
PARTS = "parts"
"""The directory of a bundle in parts."""
PARTS_LIST = "parts.json"
SBOM = "sbom.cdx.json"
BOOTSTRAP = "bootstrap"
"""The script that sets up an operator's machine; only where the lock has something for one."""
FOR_OPERATORS = "bootstrap"
"""The kind of entries that are for operators' machines: a load leaves them in the bundle."""
METADATA = "metadata"
"""The directory of a bundle that holds its signatures; never signed itself, and different each time it is written."""
TOP = frozenset({OCI_LAYOUT, INDEX, LOCK, BUNDLE, SBOM, BOOTSTRAP})
"""The files that a whole bundle may have beside its blobs."""
LARGEST_READ = 256 << 20
"""Bytes of a blob that is read at once: manifests, configurations, charts, evidence."""
PARTIAL = ".partial"
"""Suffix of a bundle that is being made."""
WORK = ".work"
"""Inside a partial bundle: what is thrown away when the bundle is whole."""
RECEIPT = "receipt.json"
RECEIPTS = "receipts"
"""Below the site directory: the receipts of bundles loaded before, numbered."""
LOADED = ".loaded.json"
"""In the site directory: what the receipt was written from, for a load that would change nothing."""
UPLOADS = ".uploads.json"
"""In the site directory while a load is unfinished: where large uploads stand."""
CONTENT = "content"

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
INDEXES = frozenset({OCI_INDEX, DOCKER_LIST})
MANIFESTS = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})

REF_NAME = "org.opencontainers.image.ref.name"
TITLE = "org.opencontainers.image.title"


@dataclass(frozen=True)
class Descriptor:
    """A pointer to content: its type, its digest (``sha256:<64 hex>``) and its size in bytes."""

    media_type: str
    digest: str
    size: int
    annotations: Mapping[str, str] = field(default_factory=dict, compare=False)

    @classmethod
    def of(cls, media_type: str, content: bytes) -> Descriptor:
        """The descriptor of ``content``."""
        return cls(media_type, digest(content), len(content))

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Descriptor:
        """From its JSON form; raises KeyError or TypeError when it is none."""
        return cls(str(data["mediaType"]), str(data["digest"]), int(data["size"]), data.get("annotations") or {})

    def json(self) -> dict[str, Any]:
        """Its JSON form, keys always in the same order."""
        written: dict[str, Any] = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        if self.annotations:
            written["annotations"] = dict(sorted(self.annotations.items()))
        return written


def digest(content: bytes) -> str:
    """``sha256:<64 hex>`` of ``content``."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def encode(document: Mapping[str, Any]) -> bytes:
    """``document`` as the JSON bytes that we store: compact, keys in the order given, so digests repeat."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def index_text(entries: Iterable[Descriptor]) -> str:
    """index.json of ``entries``, sorted by name, so that equal content is an equal file."""
    ordered = sorted(entries, key=lambda d: (d.annotations.get(REF_NAME, ""), d.digest))
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [d.json() for d in ordered]}
    return json.dumps(index, indent=1) + "\n"


def media_type(manifest: bytes, origin: str) -> str:
    """The media type of a manifest or index; raises NotUpstream for anything else (Docker schema 1 included).

    The field ``mediaType`` is optional in OCI documents, so its absence is judged by what the document holds.
    """
    try:
        data = json.loads(manifest)
        said = data.get("mediaType") or (OCI_INDEX if "manifests" in data else OCI_MANIFEST if "layers" in data else "")
    except (ValueError, AttributeError, RecursionError):
        said = "no JSON document"
    if said not in INDEXES | MANIFESTS:
        raise NotUpstream(origin, f"{said or 'schema 1'} is no OCI or Docker manifest", "Name an image of schema 2.")
    return str(said)


def links(manifest: bytes, origin: str) -> list[Descriptor]:
    """What a manifest (config, layers) or an index (manifests) points to; raises Damaged when it is malformed."""
    try:
        data = json.loads(manifest)
        named = data["manifests"] if media_type(manifest, origin) in INDEXES else [data["config"], *data["layers"]]
        return [Descriptor.parse(d) for d in named]
    except (ValueError, KeyError, TypeError, RecursionError) as e:
        raise Damaged(origin, f"a malformed manifest: {e!r}", "Fetch it again.") from e


class Segment(Struct, frozen=True):
    """Bytes of a file: where content lies, or a piece of it."""

    path: Path
    offset: int
    count: int


def read_segments(segments: Iterable[Segment], buffer: memoryview) -> Iterator[memoryview]:
    """The bytes of ``segments`` one after another, in pieces of at most ``buffer``, each valid until the next.

    A file that ends early gives fewer bytes; raises OSError.
    """
    for segment in segments:
        left = segment.count
        with segment.path.open("rb", buffering=0) as f:
            f.seek(segment.offset)
            while left and (count := f.readinto(buffer[: min(left, len(buffer))])):
                yield buffer[:count]
                left -= count


class Layout(Struct, frozen=True):
    """An OCI image layout in a directory."""

    path: Path

    def size(self, digest: str) -> int | None:
        """Bytes of the content of ``digest`` as it is there, or None when it is not."""
        path = self.blob(digest)
        return path.stat().st_size if path.is_file() and not path.is_symlink() else None

    def segments(self, digest: str, start: int = 0, end: int | None = None) -> list[Segment]:
        """Where bytes ``start`` to ``end`` of the content of ``digest`` lie."""
        last = (self.size(digest) or 0) if end is None else end
        return [Segment(self.blob(digest), start, last - start)]

    @property
    def blobs(self) -> Path:
        """The directory that skopeo takes as a shared blob directory."""
        return self.path / BLOBS

    def blob(self, digest: str) -> Path:
        """Where the content of ``digest`` is."""
        algorithm, _, encoded = digest.partition(":")
        return self.blobs / algorithm / encoded

    def has(self, d: Descriptor) -> bool:
        """Whether the content is there in full size. Its digest is not computed: ``sealift bundle verify`` does."""
        return self.size(d.digest) == d.size

    def read(self, digest_: str) -> bytes:
        """A small blob's content, checked; raises Damaged naming the file."""
        path = self.blob(digest_)
        size = self.size(digest_)
        if size is None:
            raise Damaged(str(path), "No such file or directory", "Make or carry the bundle again.")
        if size > LARGEST_READ:
            raise Damaged(str(path), f"it has {size:,} bytes, too many to be read at once", "Do not use this bundle.")
        try:
            buffer = memoryview(bytearray(max(size, 1)))
            content = b"".join(map(bytes, read_segments(self.segments(digest_), buffer)))
        except OSError as e:
            raise Damaged(str(path), e.strerror or str(e), "Make or carry the bundle again.") from e
        if digest(content) != digest_:
            raise Damaged(str(path), f"its content is {digest(content)}", "Make or carry the bundle again.")
        return content

    def add(self, content: bytes, media_type_: str) -> Descriptor:
        """Store a small blob; the file appears whole or not at all."""
        described = Descriptor.of(media_type_, content)
        if not self.has(described):
            write_bytes_atomically(self.blob(described.digest), content)
        return described

    def write_index(self, entries: Iterable[Descriptor]) -> None:
        """Write oci-layout and index.json."""
        write_atomically(self.path / OCI_LAYOUT, OCI_LAYOUT_TEXT)
        write_atomically(self.path / INDEX, index_text(entries))

    def index(self) -> list[Descriptor]:
        """The entries of index.json; raises Damaged."""
        path = self.path / INDEX
        try:
            return [Descriptor.parse(d) for d in json.loads(path.read_bytes())["manifests"]]
        except (OSError, ValueError, KeyError, TypeError) as e:
            raise Damaged(str(path), f"unreadable: {e}", "Make or carry the bundle again.") from e

    def walk(self, top: Descriptor) -> list[Descriptor]:
        """``top`` and everything below it, each once; raises Damaged when a manifest is missing or altered."""
        return walk(top, self.read)


def walk(top: Descriptor, read: Callable[[str], bytes]) -> list[Descriptor]:
    """``top`` and everything below it, each once; ``read`` gives the content of a digest."""
    found = {top.digest: top}
    if top.media_type in INDEXES | MANIFESTS:
        for below in links(read(top.digest), top.digest):
            found.update((d.digest, d) for d in walk(below, read))
    return list(found.values())
