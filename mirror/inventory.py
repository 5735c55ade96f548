"""What a registry really holds, asked of itself: a bundle made since then leaves it out."""

from __future__ import annotations

import hashlib
from datetime import datetime
from functools import cached_property

from .layout import OCI_LAYER, Descriptor
from .lock import LockedFile
from .record import FileRecord, Record


class HeldBlob(Record, frozen=True, kw_only=True):
    """A blob, and one repository that has it."""

    size: int
    """Bytes."""
    repository: str
    """Path in the registry, its prefix included."""


class HeldFile(Record, frozen=True, kw_only=True):
    """A model's file, in a layer of its own."""

    name: str
    sha256: str
    layer: str
    """Digest of the layer that carries it."""


class Inventory(FileRecord, frozen=True, kw_only=True, dict=True):
    """inventory.json. Everything is sorted, so that equal content is an equal file but for the time."""

    registry: str
    """``host[:port][/prefix]``."""
    at: datetime
    """UTC."""
    blobs: dict[str, HeldBlob]
    """By digest."""
    files: list[HeldFile] = []

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Bytes of each blob by digest."""
        return {k: b.size for k, b in self.blobs.items()}

    @property
    def sha256(self) -> str:
        """Hex sha256 of the file that this is."""
        return hashlib.sha256(self.text(".json").encode()).hexdigest()

    def layer(self, file: LockedFile) -> Descriptor | None:
        """The layer that carries ``file``, when the registry has it."""
        for held in self.files:
            if (held.name, held.sha256) == (file.name, file.sha256) and held.layer in self.blobs:
                return Descriptor(OCI_LAYER, held.layer, self.blobs[held.layer].size)
        return None
