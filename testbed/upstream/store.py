"""The upstream registry's storage, written directly: what is built is served without a push and without a second copy.

The paths are those of the distribution project's filesystem driver
(github.com/distribution/distribution, registry/storage/paths.go), unchanged since version 2.0.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"


@dataclass(frozen=True)
class Blob:
    """A stored blob: ``digest`` is ``sha256:<hex>``, ``size`` is in bytes."""

    digest: str
    size: int
    media_type: str

    def descriptor(self, **extra: object) -> dict[str, object]:
        """The OCI descriptor of the blob."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size, **extra}


@dataclass(frozen=True)
class Store:
    """Blobs, manifests and tags below ``root``, the registry's ``rootdirectory``."""

    root: Path

    def has(self, digest: str) -> bool:
        """Whether the blob is there."""
        return self._data(digest).is_file()

    def read(self, digest: str) -> bytes:
        """The bytes of a small blob."""
        return self._data(digest).read_bytes()

    def path(self, digest: str) -> Path:
        """Where the blob's bytes lie."""
        return self._data(digest)

    def add(self, data: bytes, media_type: str) -> Blob:
        """Store ``data``."""
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        if not self.has(digest):
            _write(self._data(digest), data)
        return Blob(digest, len(data), media_type)

    def adopt(self, file: Path, digest: str, media_type: str) -> Blob:
        """Move ``file``, whose digest the caller has computed while writing it, into the store."""
        size = file.stat().st_size
        target = self._data(digest)
        target.parent.mkdir(parents=True, exist_ok=True)
        file.chmod(0o644)
        file.replace(target)
        return Blob(digest, size, media_type)

    def publish(self, name: str, tag: str | None, manifest: Blob, blobs: list[Blob], children: list[Blob]) -> None:
        """Make ``manifest`` answer as ``name[:tag]``, with ``blobs`` (config, layers) and ``children`` of an index."""
        repository = self._v2 / "repositories" / name
        for blob in blobs:
            _link(repository / "_layers" / _hashed(blob.digest) / "link", blob.digest)
        for each in [*children, manifest]:
            _link(repository / "_manifests" / "revisions" / _hashed(each.digest) / "link", each.digest)
        if tag:
            tagged = repository / "_manifests" / "tags" / tag
            _link(tagged / "index" / _hashed(manifest.digest) / "link", manifest.digest)
            _link(tagged / "current" / "link", manifest.digest)

    def resolve(self, name: str, tag: str) -> str | None:
        """The digest that ``name:tag`` names, if all that was stored for it is still there."""
        link = self._v2 / "repositories" / name / "_manifests" / "tags" / tag / "current" / "link"
        if not link.is_file():
            return None
        digest = link.read_text()
        return digest if self.has(digest) else None

    def names(self) -> list[str]:
        """Every ``repository:tag``, sorted."""
        repositories = self._v2 / "repositories"
        found = []
        for tags in repositories.rglob("_manifests/tags"):
            name = tags.parent.parent.relative_to(repositories)
            found += [f"{name}:{tag.name}" for tag in tags.iterdir()]
        return sorted(found)

    def retract(self, name: str, tag: str) -> None:
        """Make ``name:tag`` unknown; what it named is then unused, unless another tag reaches it."""
        shutil.rmtree(self._v2 / "repositories" / name / "_manifests" / "tags" / tag)

    def unused(self) -> list[str]:
        """Digests of blobs that no tag reaches any more, sorted."""
        reached: set[str] = set()
        for name in self.names():
            digest = self.resolve(*name.rsplit(":", 1))
            reached |= self._reach(digest) if digest else set()
        stored = {f"sha256:{p.parent.name}" for p in (self._v2 / "blobs" / "sha256").glob("*/*/data")}
        return sorted(stored - reached)

    def remove(self, digest: str) -> None:
        """Delete a blob that :meth:`unused` named."""
        self._data(digest).unlink()

    @property
    def _v2(self) -> Path:
        return self.root / "docker" / "registry" / "v2"

    def _data(self, digest: str) -> Path:
        hexadecimal = digest.partition(":")[2]
        return self._v2 / "blobs" / "sha256" / hexadecimal[:2] / hexadecimal / "data"

    def _reach(self, digest: str) -> set[str]:
        document: dict[str, Any] = json.loads(self.read(digest))
        reached = {digest}
        for child in document.get("manifests", []):
            reached |= self._reach(child["digest"])
        parts = [*document.get("layers", []), *([document["config"]] if "config" in document else [])]
        return reached | {part["digest"] for part in parts}


def _hashed(digest: str) -> Path:
    algorithm, _, hexadecimal = digest.partition(":")
    return Path(algorithm) / hexadecimal


def _link(path: Path, digest: str) -> None:
    _write(path, digest.encode())


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(data)
    partial.replace(path)
