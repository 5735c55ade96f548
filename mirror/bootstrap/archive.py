"""Which files of a tool's archive become commands. Looked at when it is locked: inside it is only unpacked."""

from __future__ import annotations

import tarfile
from collections.abc import Sequence
from pathlib import Path

from ..errors import NotUpstream
from ..unpack import Limits, check
from .declared import Tool

TOOL = Limits(files=5_000, size=2 << 30)
"""Of an archive of programs."""


def programs(tool: Tool, path: Path, url: str) -> dict[str, str | None]:
    """Each program of ``tool``, whose file lies at ``path`` -> its member, None where the file is the program.

    A plugin has no programs, but must be an archive. Raises NotUpstream when the file is something else than the
    catalog says, Damaged for an archive that is not safe to unpack.
    """
    if not tarfile.is_tarfile(path):
        if len(tool.programs) == 1:
            return {tool.programs[0]: None}
        what = "a plugin" if tool.plugin else f"{len(tool.programs)} programs"
        raise NotUpstream(url, f"it is no tar archive, and {what} should be in it", "Mend the tool in the catalog.")
    check(path, TOOL)
    with tarfile.open(path) as archive:
        files = [m.name for m in archive if m.isreg()]
    return {p: _member(p, files, url) for p in tool.programs}


def _member(program: str, files: Sequence[str], url: str) -> str:
    found = [f for f in files if f.rpartition("/")[2] == program]
    if len(found) != 1:
        said = f"it has {len(found)} files called {program}"
        raise NotUpstream(url, said, "Name programs that are in it once.")
    return found[0]
