"""The files of a bundle, every name in one place, and reading and writing of the OCI image layout that it is.

Source of the format: https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .document import write_atomically
from .errors import Damaged, NotUpstream

OCI_LAYOUT = "oci-layout"
OCI_LAYOUT_TEXT = '{"imageLayoutVersion":"1.0.0"}'
INDEX = "index.json"
BLOBS = "blobs"
LOCK = "sealift.lock"
BUNDLE = "bundle.json"
SBOM = "sbom.cdx.json"
METADATA = "metadata"
"""The directory of a bundle that holds its signatures; never signed itself, and different each time it is written."""
TOP = frozenset({OCI_LAYOUT, INDEX, LOCK, BUNDLE, SBOM})
"""The files of a whole bundle beside its blobs."""
PARTIAL = ".partial"
"""Suffix of a bundle that is being made."""
WORK = ".work"
"""Inside a partial bundle: what is thrown away when the bundle is whole."""
RECEIPT = "receipt.json"
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


@dataclass(frozen=True)
class Layout:
    """An OCI image layout in a directory."""

    path: Path

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
        path = self.blob(d.digest)
        return path.is_file() and path.stat().st_size == d.size

    def read(self, digest_: str) -> bytes:
        """A small blob's content, checked; raises Damaged naming the file."""
        path = self.blob(digest_)
        try:
            content = path.read_bytes()
        except OSError as e:
            raise Damaged(str(path), e.strerror or str(e), "Make or carry the bundle again.") from e
        if digest(content) != digest_:
            raise Damaged(str(path), f"its content is {digest(content)}", "Make or carry the bundle again.")
        return content

    def add(self, content: bytes, media_type_: str) -> Descriptor:
        """Store a small blob; the file appears whole or not at all."""
        described = Descriptor.of(media_type_, content)
        if not self.has(described):
            path = self.blob(described.digest)
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=self.path)
            with os.fdopen(handle, "wb") as f:
                f.write(content)
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
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
        found = {top.digest: top}
        if top.media_type in INDEXES | MANIFESTS:
            for below in links(self.read(top.digest), str(self.blob(top.digest))):
                found.update((d.digest, d) for d in self.walk(below))
        return list(found.values())
