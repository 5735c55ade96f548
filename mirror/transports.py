"""Images that are in no registry: where they are, as skopeo writes it.

https://github.com/containers/image/blob/v5.36.0/docs/containers-transports.5.md
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from .errors import BadInput

FILES = frozenset({"docker-archive", "oci-archive", "oci"})
"""Transports whose images lie in a file or directory: ``transport:path[:name]``."""
STORES = frozenset({"containers-storage", "docker-daemon"})
"""Transports whose images a program keeps: ``transport:name``."""
AS_THEY_ARE = frozenset({"oci-archive", "oci"})
"""Transports whose manifests are copied byte for byte, indexes with all their platforms."""


@dataclass(frozen=True)
class Place:
    """Where one image is."""

    transport: str
    path: Path | None
    """The file or directory, of those transports that have one."""
    name: str
    """What follows: the image's name where it is kept; of a path ``:name`` or ``@number``, as one may hold several."""

    @classmethod
    def parse(cls, text: str) -> Place | None:
        """The place that ``text`` names; None when it begins with no transport. Raises BadInput for half of one."""
        transport, colon, rest = text.partition(":")
        if not colon or transport not in FILES | STORES:
            return None
        if not rest or rest.startswith(("//", ":", "@")):
            form = f"{transport}:path" if transport in FILES else f"{transport}:name"
            raise BadInput(text, "it names no image", f"Write {form}.")
        if transport in STORES:
            return cls(transport, None, rest)
        end = min((i for i in (rest.find(":"), rest.find("@")) if i >= 0), default=len(rest))
        return cls(transport, Path(rest[:end]), rest[end:])

    def below(self, directory: Path) -> Place:
        """This place, its path taken relative to ``directory``."""
        return replace(self, path=directory / self.path) if self.path else self

    def __str__(self) -> str:
        return f"{self.transport}:{self.path or ''}{self.name}"
