"""The section ``bootstrap`` of a catalog resolved: every file fetched once, looked into and pinned."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ..errors import BadInput, LicenceRefused, NotUpstream
from ..lock import LockedBootstrap, LockedFile, LockedTool, LockedWheel
from ..parallel import parallel
from ..progress import Report
from ..source_map import SourceMap
from ..web import save
from . import archive, index, requirements, wheel
from .declared import Bootstrap, Tool
from .index import IndexFile
from .requirements import Pinned
from .target import Target, targets

AT_ONCE = 8
"""How many files are fetched at the same time; most of them are small."""
PIP = "pip"
"""The package that installs the others: a machine inside may have none."""


def lock(
    said: Bootstrap, platforms: Sequence[str], given: Path | None, source_map: SourceMap, scratch: Path, report: Report
) -> LockedBootstrap:
    """``said`` for ``platforms``; ``given`` is the project's own wheel where the requirements do not pin it.

    ``scratch`` is a directory that takes all files. Raises BadInput, NotUpstream, RegistryRefused, Damaged, and
    LicenceRefused for a wheel of which nobody says the licence.
    """
    fetching = _Fetching(said, targets(platforms, said.pythons, said.glibc), source_map, scratch, report)
    scratch.mkdir(parents=True, exist_ok=True)
    pinned = check(said, given)
    wanted = [(tool, platform) for tool in said.tools for platform in sorted(platforms)]
    tools = parallel(lambda w: fetching.tool(*w), wanted, AT_ONCE)
    wheels = parallel(lambda w: fetching.wheel(*w), fetching.chosen(pinned).values(), AT_ONCE)
    if given:
        wheels.append(fetching.own(given))
    return LockedBootstrap(
        project=said.project,
        pythons=sorted(said.pythons),
        glibc=said.glibc,
        tools=sorted(tools, key=lambda t: (t.name, t.platform)),
        wheels=sorted(wheels, key=lambda w: w.file.name),
    )


def check(said: Bootstrap, given: Path | None) -> list[Pinned]:
    """What ``said`` requires; raises BadInput, without fetching, where pip or the project is lacking or there twice."""
    pinned = requirements.read(said.requirements)
    names = {p.name for p in pinned}
    if PIP not in names:
        raise BadInput(str(said.requirements), "pip is not in it, and installs the others", "Add pip, pinned.")
    if given is None and said.project not in names:
        raise BadInput(
            f"bootstrap: {said.project}", "no requirement pins it, and its wheel was not given", "Give --wheel FILE."
        )
    if given and said.project in names:
        raise BadInput(f"--wheel {given}", f"the requirements pin {said.project} already", "Leave one of both out.")
    if unknown := sorted(said.licences.keys() - names):
        raise BadInput(f"bootstrap: licences: {unknown[0]}", "no requirement is called so", "Remove it, or mend it.")
    return pinned


@dataclass(frozen=True)
class _Fetching:
    said: Bootstrap
    targets: Sequence[Target]
    source_map: SourceMap
    scratch: Path
    report: Report

    def tool(self, tool: Tool, platform: str) -> LockedTool:
        if platform not in tool.files:
            raise NotUpstream(
                f"tool {tool.name}", f"it has no file for {platform}", "Name one, or leave the platform out."
            )
        url = tool.files[platform]
        path = self._place(url, f"{tool.name}-{platform.replace('/', '-')}")
        file = save(self.source_map.url(url), path)
        self.report.say(f"tool {tool.name} {tool.version} {platform}")
        return LockedTool(
            name=tool.name,
            version=tool.version,
            platform=platform,
            licence=tool.licence,
            url=url,
            file=file,
            programs=archive.programs(tool, path, url),
            plugin=f"{tool.plugin}-v{tool.version}" if tool.plugin else None,
        )

    def chosen(self, pinned: Sequence[Pinned]) -> dict[str, tuple[Pinned, IndexFile, list[Target]]]:
        """By file: the package, where it is, and whom it is for."""
        offered = dict(parallel(self._offered, pinned, AT_ONCE))
        found: dict[str, tuple[Pinned, IndexFile, list[Target]]] = {}
        for target in self.targets:
            ranks = {tag: rank for rank, tag in reversed(list(enumerate(target.tags())))}
            for p in requirements.for_target(pinned, target):
                file = index.best(p, offered[p.name], target, ranks)
                found.setdefault(file.filename, (p, file, []))[2].append(target)
        return found

    def _offered(self, pinned: Pinned) -> tuple[str, list[IndexFile]]:
        needed = any(pinned.applies(t) for t in self.targets)
        return pinned.name, index.files(self.said.index, pinned.name, self.source_map) if needed else []

    def wheel(self, pinned: Pinned, file: IndexFile, wanted: Iterable[Target]) -> LockedWheel:
        path = self.scratch / _plain(file.filename, file.url)
        locked = save(self.source_map.url(file.url), path)
        if locked.sha256 != file.sha256:
            raise NotUpstream(file.url, f"it is {locked.sha256}, the index says {file.sha256}", "Ask another index.")
        licence = self._licence(pinned.name, wheel.licence(path))
        self.report.say(f"wheel {locked.name}")
        return _locked(pinned.name, pinned.version, licence, file.url, locked, wanted)

    def own(self, given: Path) -> LockedWheel:
        """The project's own wheel, for every machine."""
        name, version = wheel.name_and_version(given.name)
        if name != self.said.project:
            raise BadInput(str(given), f"it is {name}, not {self.said.project}", "Give the wheel of that.")
        try:
            content = given.read_bytes()
        except OSError as e:
            raise BadInput(str(given), e.strerror or str(e), "Give a readable wheel.") from e
        locked = LockedFile(name=given.name, sha256=hashlib.sha256(content).hexdigest(), size=len(content))
        return _locked(name, version, self._licence(name, wheel.licence(given)), None, locked, self.targets)

    def _licence(self, name: str, said: str | None) -> str:
        stated = self.said.licences.get(name)
        if said and stated and said != stated:
            raise BadInput(
                f"bootstrap: licences: {name}: {stated}", f"the wheel itself says {said}", "Remove the entry."
            )
        if not (said or stated):
            raise LicenceRefused(
                f"wheel {name}",
                "its metadata names no SPDX expression",
                "Read its licence and state it in the catalog, under bootstrap: licences.",
            )
        return str(said or stated)

    def _place(self, url: str, directory: str) -> Path:
        (self.scratch / directory).mkdir(exist_ok=True)
        return self.scratch / directory / _plain(unquote(urlsplit(url).path.rpartition("/")[2]), url)


def _locked(
    name: str, version: str, licence: str, url: str | None, file: LockedFile, wanted: Iterable[Target]
) -> LockedWheel:
    return LockedWheel(
        name=name, version=version, licence=licence, url=url, file=file, targets=sorted(str(t) for t in wanted)
    )


def _plain(name: str, url: str) -> str:
    """``name``, which becomes a file's; raises BadInput when it would lead elsewhere."""
    if not name or "/" in name or name in (".", ".."):
        raise BadInput(url, "it does not end in a file's name", "Name a file.")
    return name
