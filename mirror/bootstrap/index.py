"""A package index, and which of its files is the wheel for a machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urljoin

from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from pydantic import BaseModel, ValidationError

from ..errors import NotUpstream, RegistryRefused
from ..source_map import SourceMap
from ..web import download
from .requirements import Pinned
from .target import Target

JSON = "application/vnd.pypi.simple.v1+json"


class IndexFile(BaseModel):
    """A file of a project, as the index says it; fields that do not matter here are left out."""

    filename: str
    url: str
    hashes: dict[str, str] = {}

    @property
    def sha256(self) -> str | None:
        """Hex; None when the index does not say it."""
        return self.hashes.get("sha256")


class _Project(BaseModel):
    files: list[IndexFile]


def files(index: str, name: str, source_map: SourceMap) -> list[IndexFile]:
    """What ``index`` has of the project ``name`` (canonical), with absolute URLs; raises NotUpstream, RegistryRefused.

    https://packaging.python.org/en/latest/specifications/simple-repository-api/
    """
    url = f"{index.rstrip('/')}/{name}/"
    content = download(source_map.url(url), accept=JSON)
    try:
        found = _Project.model_validate_json(content).files
    except ValidationError as e:
        raise RegistryRefused(url, "the index does not answer in JSON (PEP 691)", "Name one that does.") from e
    return [f.model_copy(update={"url": urljoin(url, f.url)}) for f in found]


def best(pinned: Pinned, offered: Sequence[IndexFile], target: Target, ranks: Mapping[Tag, int]) -> IndexFile:
    """The wheel of ``pinned`` that fits ``target`` best, among those whose hash is pinned; raises NotUpstream.

    ``ranks`` has the place of each tag in the target's order.
    """
    fitting = [
        (rank, f.filename, f)
        for f in offered
        if f.sha256 in pinned.hashes and (rank := _rank(f.filename, ranks)) is not None
    ]
    if not fitting:
        raise NotUpstream(
            f"{pinned.name} {pinned.version}",
            f"the index has no wheel for Python {target.python}, {target.machine} and glibc {target.glibc} whose "
            "sha256 is pinned",
            "Pin a version that has one, or name another Python or glibc in the catalog.",
        )
    return min(fitting, key=lambda f: f[:2])[2]


def _rank(filename: str, ranks: Mapping[Tag, int]) -> int | None:
    try:
        tags = parse_wheel_filename(filename)[3]
    except InvalidWheelFilename:
        return None
    return min((ranks[t] for t in tags if t in ranks), default=None)
