"""regctl: one layout for all images, written by one process at a time, as two would overwrite each other's index."""

from __future__ import annotations

from dataclasses import dataclass

from ..content import Published
from .tool import AT_ONCE, Command, Place, at_once


@dataclass(frozen=True)
class Regctl:
    """It fetches the layers of an image at the same time; four processes at a time push."""

    name: str = "regctl"
    program: str = "regctl"
    copies: float = 1
    prefix: str = ""

    def create(self, place: Place, *, change: bool) -> list[Command]:
        """See :class:`Tool`."""
        lines = [[name, _layout(place, i)] for i, name in place.sources(change=change)]
        return [at_once(place, "copies", lines, self._copy(place), 1)]

    def load(self, place: Place, *, change: bool) -> list[Command]:
        """See :class:`Tool`."""
        lines = [[_layout(place, i), place.into(i)] for i in place.content.after(change=change)]
        return [at_once(place, "copies", lines, self._copy(place), AT_ONCE)]

    def inventory(self, place: Place) -> list[Command]:
        """See :class:`Tool`."""
        return []

    def _copy(self, place: Place) -> list[str]:
        hosts = [w for h in (place.source, place.target) for w in ("--host", f"reg={h},tls=disabled")]
        return [str(place.programs / self.program), *hosts, "image", "copy"]


def _layout(place: Place, image: Published) -> str:
    return f"ocidir://{place.directory / 'layout'}:{image.repository.replace('/', '-')}"
