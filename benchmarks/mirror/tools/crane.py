"""crane: one layout for all images; its push takes a layout of one image, so each gets one that shares the blobs."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from mirror.layout import OCI_LAYOUT, OCI_LAYOUT_TEXT, OCI_MANIFEST

from ..content import Published
from .tool import AT_ONCE, Command, Place, at_once


@dataclass(frozen=True)
class Crane:
    """One process pulls all, four at a time push."""

    name: str = "crane"
    program: str = "crane"
    copies: float = 1
    prefix: str = ""

    def create(self, place: Place, *, change: bool) -> list[Command]:
        """See :class:`Tool`."""
        names = [name for _, name in place.sources(change=change)]
        return [[self._path(place), "pull", "--insecure", "--format=oci", *names, str(place.directory / "layout")]]

    def load(self, place: Place, *, change: bool) -> list[Command]:
        """See :class:`Tool`."""
        lines = [[str(_single(place, i)), place.into(i)] for i in place.content.after(change=change)]
        return [at_once(place, "pushes", lines, [self._path(place), "push", "--insecure"], AT_ONCE)]

    def inventory(self, place: Place) -> list[Command]:
        """See :class:`Tool`."""
        return []

    def _path(self, place: Place) -> str:
        return str(place.programs / self.program)


def _single(place: Place, image: Published) -> Path:
    """A layout that holds ``image`` alone, on the blobs of the one that was pulled."""
    layout = place.directory / "layout"
    made = place.directory / "singles" / image.repository.replace("/", "-")
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    (made / "blobs").symlink_to(layout / "blobs")
    (made / OCI_LAYOUT).write_text(OCI_LAYOUT_TEXT)
    size = (layout / "blobs" / image.digest.replace(":", "/")).stat().st_size
    named = {"mediaType": OCI_MANIFEST, "digest": image.digest, "size": size}
    (made / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [named]}))
    return made
