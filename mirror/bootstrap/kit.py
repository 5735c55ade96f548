"""What sets up machines of one platform, as an OCI artifact: everything about it follows from the lock."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from msgspec import Struct

from ..layout import OCI_EMPTY, OCI_MANIFEST, TITLE, Descriptor, encode
from ..lock import Lock, LockedFile, LockedTool, LockedWheel
from ..release import EMPTY

ARTIFACT = "application/vnd.sealift.bootstrap.v1"
FILE = "application/octet-stream"
HOST = "sealift.invalid"
"""No registry has it: it is not loaded."""


class Kit(Struct, frozen=True):
    """The tools and wheels of ``platform``."""

    platform: str
    members: tuple[LockedTool | LockedWheel, ...]
    """Each file once, by digest."""

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(m.file.size for m in self.members)

    @property
    def reference(self) -> str:
        """``sealift.invalid/bootstrap/<platform>:<16 hex digits of what is in it>``."""
        listed = "\n".join(f"{m.file.sha256}  {m.file.name}" for m in self.members)
        return f"{HOST}/bootstrap/{self.platform}:{hashlib.sha256(listed.encode()).hexdigest()[:16]}"

    @property
    def manifest(self) -> bytes:
        """The artifact's manifest."""
        layers = [Descriptor(FILE, _digest(m.file), m.file.size, {TITLE: m.file.name}) for m in self.members]
        return encode(
            {
                "schemaVersion": 2,
                "mediaType": OCI_MANIFEST,
                "artifactType": ARTIFACT,
                "config": Descriptor.of(OCI_EMPTY, EMPTY).json(),
                "layers": [layer.json() for layer in layers],
            }
        )


def kits(lock: Lock) -> list[Kit]:
    """One for each platform; none where the lock has no section ``bootstrap``."""
    return [Kit(p, tuple({m.file.sha256: m for m in _of(lock, p)}.values())) for p in lock.platforms if lock.bootstrap]


def _of(lock: Lock, platform: str) -> Iterator[LockedTool | LockedWheel]:
    if lock.bootstrap:
        yield from (t for t in lock.bootstrap.tools if t.platform == platform)
        yield from (w for w in lock.bootstrap.wheels if any(t.startswith(f"{platform} ") for t in w.targets))


def _digest(file: LockedFile) -> str:
    return f"sha256:{file.sha256}"
