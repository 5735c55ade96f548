"""The one map that every node's configuration is written from: upstream's registries and where theirs lies inside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..atomic import write_atomically
from ..receipt import Receipt
from ..reference import Reference, mirrored


@dataclass(frozen=True)
class Places:
    """Where the repositories of upstream's registries are inside."""

    registry: str
    """``host[:port]`` of the internal registry."""
    below: Mapping[str, str]
    """``host[:port]`` of an upstream registry -> the path, without slashes at its ends, that stands for it inside."""

    @classmethod
    def of(cls, receipt: Receipt) -> Places:
        """The places of everything that arrived, sorted by upstream's name."""
        names = {Reference.parse(i.reference).registry for i in receipt.images}
        names |= {m.origin.partition("/")[0] for m in receipt.models if "." in m.origin.partition("/")[0]}
        paths = {n: mirrored(Reference(n, "x"), receipt.registry).repository.removesuffix("/x") for n in sorted(names)}
        return cls(receipt.registry.partition("/")[0], paths)


def write(files: Mapping[str, str], output: Path) -> list[Path]:
    """Write ``files`` (name -> text) below ``output``; returns the paths."""
    for name, text in files.items():
        write_atomically(output / name, text)
    return [output / name for name in files]
