"""skopeo: copies into OCI layouts that share their blobs, several at once; and its own ``sync``."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import yaml

from ..content import TAG
from .tool import AT_ONCE, Command, Place, at_once


@dataclass(frozen=True)
class SkopeoCopy:
    """One process for each image; a layout for each, and one directory of blobs."""

    name: str = "skopeo copy"
    program: str = "skopeo"
    copies: float = 1
    prefix: str = ""

    def create(self, place: Place, *, change: bool) -> list[Command]:
        """See :class:`Tool`."""
        shared = ["--src-tls-verify=false", "--dest-shared-blob-dir", str(place.directory / "blobs")]
        lines = [[f"docker://{name}", _layout(place, i.repository)] for i, name in place.sources(change=change)]
        (place.directory / "layouts").mkdir(exist_ok=True)
        return [at_once(place, "copies", lines, [*_SKOPEO, "copy", "--quiet", *shared], AT_ONCE)]

    def load(self, place: Place, *, change: bool) -> list[Command]:
        """See :class:`Tool`."""
        shared = ["--dest-tls-verify=false", "--src-shared-blob-dir", str(place.directory / "blobs")]
        images = place.content.after(change=change)
        lines = [[_layout(place, i.repository), f"docker://{place.into(i)}"] for i in images]
        return [at_once(place, "copies", lines, [*_SKOPEO, "copy", "--quiet", *shared], AT_ONCE)]

    def inventory(self, place: Place) -> list[Command]:
        """See :class:`Tool`."""
        return []


@dataclass(frozen=True)
class SkopeoSync:
    """One process for all; a directory for each image, which it will not write to again."""

    name: str = "skopeo sync"
    program: str = "skopeo"
    copies: float = 2.1
    prefix: str = ""

    def create(self, place: Place, *, change: bool) -> list[Command]:
        """See :class:`Tool`."""
        output, listed = place.directory / "synced", place.directory / "sync.yaml"
        shutil.rmtree(output, ignore_errors=True)
        output.mkdir()
        images = {i.repository: [TAG] for i in place.content.after(change=change)}
        listed.write_text(yaml.safe_dump({place.source: {"tls-verify": False, "images": images}}))
        return [[*_SKOPEO, "sync", "--scoped", "--src", "yaml", "--dest", "dir", str(listed), str(output)]]

    def load(self, place: Place, *, change: bool) -> list[Command]:
        """See :class:`Tool`."""
        given = ["--scoped", "--dest-tls-verify=false", "--src", "dir", "--dest", "docker"]
        return [[*_SKOPEO, "sync", *given, str(place.directory / "synced" / place.source), place.target]]

    def inventory(self, place: Place) -> list[Command]:
        """See :class:`Tool`."""
        return []


_SKOPEO = ("skopeo", "--insecure-policy")


def _layout(place: Place, repository: str) -> str:
    return f"oci:{place.directory / 'layouts' / Path(repository.replace('/', '-'))}:{TAG}"
