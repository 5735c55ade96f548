"""Which programs are measured: ours and the peers that this machine has or can build, the others with the reason."""

from __future__ import annotations

import compileall
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import mirror
import sealift
from mirror.document import Strict
from mirror.errors import BadInput, ToolMissing
from testbed.toolchain import disk
from testbed.toolchain import programs as toolchain
from testbed.toolchain.cache import cache_directory

from .content import planned
from .tools.crane import Crane
from .tools.regctl import Regctl
from .tools.sealift import Sealift
from .tools.skopeo import SkopeoCopy, SkopeoSync
from .tools.tool import Tool
from .tools.zarf import Zarf

_TOOLS: tuple[Tool, ...] = (Sealift(), SkopeoCopy(), SkopeoSync(), Crane(), Regctl(), Zarf())
_DEBIAN_REGISTRY, _REGISTRY = "docker-registry", "distribution"
"""Distribution 2.8 by Debian's name, and distribution 3 by its own."""
_SAYS_ITS_VERSION = {"skopeo": "--version", _DEBIAN_REGISTRY: "--version", _REGISTRY: "--version"}


class Found(Strict):
    """What takes part."""

    tools: list[str]
    skipped: dict[str, str]
    """Name -> why."""
    versions: dict[str, str]
    """What each program says of itself."""
    programs: Path
    source_registry: str
    target_registry: str


def known() -> list[str]:
    """The names of all tools."""
    return [t.name for t in _TOOLS]


def tool(name: str) -> Tool:
    """The tool called ``name``; raises BadInput."""
    found = [t for t in _TOOLS if t.name == name]
    if not found:
        raise BadInput(f"tool {name!r}", "it is not known", f"Give some of: {', '.join(known())}.")
    return found[0]


def built(names: Sequence[str], registry: str, say: Callable[[str], None]) -> Found:
    """Build what is missing of the tools called ``names`` and of the ``registry`` (distribution's major version).

    What cannot be had is skipped with its reason; raises ToolMissing without registries, BadInput for unknown names.
    """
    wanted = [tool(n) for n in names]
    modules = {p.name: m for m in [*toolchain.declared(), *toolchain.declared("benchmarks")] for p in m.program}
    directory, skipped = cache_directory() / "bin", {}
    for t in wanted:
        try:
            _ensure(t.program, modules, say)
        except ToolMissing as e:
            skipped[t.name] = e.why.splitlines()[-1]
            say(f"skipped {t.name}: {skipped[t.name]}")
    _compile()
    target = _DEBIAN_REGISTRY if registry == "2" else _REGISTRY
    serving = {n: _ensure(n, modules, say) for n in (_DEBIAN_REGISTRY, target)}
    taken = [t for t in wanted if t.name not in skipped]
    paths = {t.program: _ensure(t.program, modules, say) for t in taken} | serving
    return Found(
        tools=[t.name for t in taken],
        skipped=skipped,
        versions={Path(n).name: v for n, p in paths.items() if (v := _version(n, p))},
        programs=directory,
        source_registry=serving[_DEBIAN_REGISTRY],
        target_registry=serving[target],
    )


def needed(work: Path, tools: Sequence[str], scale: float) -> int:
    """The bytes that a run takes at its peak; raises NoSpace when ``work`` has fewer free.

    At the same time there are the content, what a tool makes of it, what it works with, and the registry it has loaded.
    """
    factor = max(4.0, 2.5 + max((tool(t).copies for t in tools), default=1))
    bytes_ = round(planned(scale) * factor)
    disk.require(work, bytes_, "the benchmark")
    return bytes_


def _compile() -> None:
    """Make Sealift's bytecode, which an installation has and a checkout may lack: it starts a third sooner."""
    compileall.compile_dir(Path(mirror.__file__).parent, quiet=2)
    compileall.compile_file(sealift.__file__, quiet=2)


def _ensure(program: str, modules: dict[str, toolchain.Module], say: Callable[[str], None]) -> str:
    """The path of ``program``, built when it is one of ours; raises ToolMissing."""
    if program in modules:
        return str(toolchain.ensure(cache_directory(), say, [modules[program]]) / program)
    if found := shutil.which(program):
        return found
    raise ToolMissing(program, "it is not on PATH", f"Install Debian's package {program}.")


def _version(program: str, path: str) -> str:
    """The first number in what the program says of its version."""
    if Path(program).name == "sealift":
        return ""
    words = [path, _SAYS_ITS_VERSION.get(program, "version")]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    said = re.search(r"v?\d+\.\d+\.\d+\S*", done.stdout + done.stderr)
    return said[0] if said else ""
