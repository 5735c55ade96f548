"""A requirements file that pins everything by version and hash, as ``uv pip compile`` and pip-tools write it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from ..errors import BadInput
from .target import Target

_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})(?:\s+|$)")


@dataclass(frozen=True)
class Pinned:
    """One package."""

    name: str
    """In canonical form."""
    version: str
    hashes: frozenset[str]
    """Hex sha256 of each file that may be it."""
    marker: Marker | None

    def applies(self, target: Target) -> bool:
        """Whether ``target`` needs it."""
        return self.marker is None or self.marker.evaluate(dict(target.environment))


def read(path: Path) -> list[Pinned]:
    """Every package of the file at ``path``, in its order; raises BadInput for what is not pinned by hash."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as e:
        raise BadInput(str(path), e.strerror or str(e), "Give the requirements file that the catalog names.") from e
    joined = re.sub(r"\\\n", " ", text)
    lines = [line.partition(" #")[0].strip() for line in joined.splitlines()]
    return [_pinned(line, path) for line in lines if line and not line.startswith("#")]


def for_target(pinned: Sequence[Pinned], target: Target) -> list[Pinned]:
    """Those that ``target`` needs; raises BadInput when one of them is pinned to two versions there."""
    found = [p for p in pinned if p.applies(target)]
    names = [p.name for p in found]
    if twice := sorted({n for n in names if names.count(n) > 1}):
        raise BadInput(f"requirement {twice[0]}", f"it stands twice for {target}", "Pin one version.")
    return found


def _pinned(line: str, path: Path) -> Pinned:
    head, hashes = _HASH.sub("", line).strip(), frozenset(_HASH.findall(line))
    try:
        requirement = Requirement(head)
    except InvalidRequirement as e:
        raise BadInput(f"{path}: {head[:80]!r}", str(e).splitlines()[0], "Write name==version --hash=...") from e
    versions = [s.version for s in requirement.specifier if s.operator == "=="]
    if len(versions) != 1 or len(requirement.specifier) != 1 or not hashes or requirement.url:
        raise BadInput(
            f"{path}: {requirement.name}",
            "it is not pinned to one version with hashes",
            "Compile it: uv pip compile --generate-hashes.",
        )
    return Pinned(canonicalize_name(requirement.name), versions[0], hashes, requirement.marker)
