"""The project's own wheel, from the sources as they are: ``python -m testbed.toolchain.wheel DIRECTORY``.

Equal sources give an equal file: it is built from a copy, without what earlier builds left, and without times.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from mirror.errors import ToolMissing

ROOT = Path(__file__).resolve().parents[2]
_NEVER = shutil.ignore_patterns(".*", "*.egg-info", "__pycache__")
_LEFT_OUT = {"build", "bundle", "dist", "docs", "rehearsal", "tests"}  # of the top level
_TIME = "315532800"  # 1980, where the times of zip archives begin


def build(into: Path) -> Path:
    """The wheel, in the directory ``into``; raises ToolMissing with what pip says."""
    with tempfile.TemporaryDirectory() as scratch:
        copy, made = Path(scratch) / "sources", Path(scratch) / "made"
        shutil.copytree(ROOT, copy, ignore=_left_out)
        for file in copy.rglob("*"):
            file.chmod(0o755 if file.is_dir() else 0o644)
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
        done = subprocess.run(
            [*command, "--wheel-dir", str(made), str(copy)],
            env={**os.environ, "SOURCE_DATE_EPOCH": _TIME},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise ToolMissing("pip wheel", done.stderr.strip()[-2000:], "Look at its message.")
        (wheel,) = made.iterdir()
        into.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copyfile(wheel, into / wheel.name))


def _left_out(directory: str, names: list[str]) -> set[str]:
    return _NEVER(directory, names) | (_LEFT_OUT & set(names) if Path(directory) == ROOT else set())


if __name__ == "__main__":
    print(build(Path(sys.argv[1])))
