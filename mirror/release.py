"""Release YAML as an OCI artifact, so that it crosses the gap with everything else."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from msgspec import Struct

from .layout import OCI_EMPTY, OCI_MANIFEST, TITLE, Descriptor, encode
from .lock import LockedFile

YAML = "application/yaml"
ARTIFACT = "application/vnd.sealift.release.v1"
EMPTY = b"{}"


class Release(Struct, frozen=True):
    """One file of release YAML as an artifact: everything about it follows from the lock."""

    url: str
    file: LockedFile

    @property
    def reference(self) -> str:
        """The URL as an image reference; its tag is the beginning of the content's sha256.

        ``https://github.com/o/p/releases/download/v1/x.yaml`` becomes ``github.com/o/p/releases/download/v1/x.yaml:<16
        hex digits>``. What a repository path cannot hold becomes ``-``.
        """
        parts = urlsplit(self.url)
        path = [re.sub(r"[^a-z0-9]*([._-])[^a-z0-9]*", r"\1", c) for c in re.split("/+", parts.path.lower().strip("/"))]
        names = [re.sub(r"^[._-]+|[._-]+$", "", re.sub(r"[^a-z0-9._-]+", "-", c)) for c in path]
        return f"{parts.netloc}/{'/'.join(n for n in names if n)}:{self.file.sha256[:16]}"

    @property
    def layer(self) -> Descriptor:
        """The YAML itself."""
        return Descriptor(YAML, f"sha256:{self.file.sha256}", self.file.size)

    @property
    def manifest(self) -> bytes:
        """The artifact's manifest."""
        layer = Descriptor(YAML, self.layer.digest, self.layer.size, {TITLE: self.file.name})
        return encode(
            {
                "schemaVersion": 2,
                "mediaType": OCI_MANIFEST,
                "artifactType": ARTIFACT,
                "config": Descriptor.of(OCI_EMPTY, EMPTY).json(),
                "layers": [layer.json()],
                "annotations": {"org.opencontainers.image.source": self.url},
            }
        )
