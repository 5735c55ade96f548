"""What is asked of each program: to bring content out of one registry, and into another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..content import TAG, Content, Published

Command = Sequence[str]
AT_ONCE = 4


@dataclass(frozen=True)
class Place:
    """Where a program works: a directory that nobody else writes to, and two registries, as ``host:port``."""

    directory: Path
    source: str
    target: str
    content: Content
    programs: Path
    """The directory of the programs that are built."""

    def sources(self, *, change: bool) -> list[tuple[Published, str]]:
        """Each image and the name that it is pulled by."""
        return [(i, f"{self.source}/{i.repository}:{TAG}") for i in self.content.after(change=change)]

    def into(self, image: Published) -> str:
        """The name that an image is pushed by."""
        return f"{self.target}/{image.repository}:{TAG}"


class Tool(Protocol):
    """A program. Its methods write what its commands read, which is not measured, and give the commands, which are."""

    @property
    def name(self) -> str:
        """What it is called in the table: a program may be measured in two ways."""
        ...

    @property
    def program(self) -> str:
        """Its name on PATH, or among the programs that are built."""
        ...

    @property
    def copies(self) -> float:
        """How often the content is on the disk at the peak of ``create``, without what it is read from."""
        ...

    @property
    def prefix(self) -> str:
        """What repositories begin with in the registry that it has loaded."""
        ...

    def create(self, place: Place, *, change: bool) -> list[Command]:
        """Bring everything to the disk; after the ``change``, with what was brought before it still there."""
        ...

    def load(self, place: Place, *, change: bool) -> list[Command]:
        """Bring what was created last into the target registry."""
        ...

    def inventory(self, place: Place) -> list[Command]:
        """What crosses back before the change, so that less needs to go; nothing with most."""
        ...


def at_once(place: Place, name: str, lines: Iterable[Sequence[str]], command: Sequence[str], count: int) -> Command:
    """``command`` with each of ``lines`` as its last arguments, ``count`` at the same time; ``name`` names a file."""
    listed = place.directory / name
    listed.write_text("".join(f"{' '.join(line)}\n" for line in lines))
    return ["xargs", "--arg-file", str(listed), "--max-lines=1", f"--max-procs={count}", *command]
