"""Sealift's own command line: a bundle from a lock, and the load of it; after a change, a bundle since an inventory."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from mirror.layout import OCI_MANIFEST
from mirror.lock import Lock, LockedImage, LockedImages, LockedPart

from ..content import TAG, Content
from .tool import Command, Place

HOST = "registry.example"
"""What upstream is called in the lock."""


@dataclass(frozen=True)
class Sealift:
    """A bundle in files, unsigned as no peer's is signed."""

    name: str = "sealift"
    program: str = str(Path(sys.executable).with_name("sealift"))
    copies: float = 1
    prefix: str = f"{HOST}/"

    def create(self, place: Place, *, change: bool) -> list[Command]:
        """See :class:`Tool`."""
        lock, mapped = place.directory / "sealift.lock", place.directory / "sources.json"
        locked(place.content, change=change).write(lock)
        mapped.write_text(json.dumps({HOST: f"http://{place.source}"}))
        since = ["--since", str(place.directory / "inventory.json")] if change else []
        given = ["--lock", str(lock), "--source-map", str(mapped), *since]
        return [[self.program, "bundle", "create", *given, "--output", str(place.directory / _bundle(change=change))]]

    def load(self, place: Place, *, change: bool) -> list[Command]:
        """See :class:`Tool`."""
        bundle, site = place.directory / _bundle(change=change), place.directory / "site"
        given = ["--registry", place.target, "--allow-plain-http", "--accept-unsigned-bundle", "--output", str(site)]
        return [[self.program, "load", str(bundle), *given]]

    def inventory(self, place: Place) -> list[Command]:
        """The inventory of what the target holds."""
        receipt, output = place.directory / "site" / "receipt.json", place.directory / "inventory.json"
        given = ["--registry", place.target, "--allow-plain-http", "--receipt", str(receipt), "--output", str(output)]
        return [[self.program, "inventory", *given]]


def locked(content: Content, *, change: bool) -> Lock:
    """The lock of ``content``."""
    images = [
        LockedImage(
            reference=f"{HOST}/{i.repository}:{TAG}",
            digest=i.digest,
            upstream_digest=i.digest,
            media_type=OCI_MANIFEST,
            platforms=[],
            size=i.size,
            licence="Apache-2.0",
            found=["content: catalog"],
        )
        for i in sorted(content.after(change=change), key=lambda i: i.repository)
    ]
    names = [i.reference for i in images]
    part = LockedPart(
        name="content", namespace=None, licence="Apache-2.0", content=LockedImages(images=names), images=names
    )
    return Lock(
        kubernetes="1.34",
        platforms=["linux/amd64"],
        parts=[part],
        images=images,
        models=[],
        runtimes=[],
        exclusions=[],
    )


def _bundle(*, change: bool) -> str:
    return "bundle-2" if change else "bundle-1"
