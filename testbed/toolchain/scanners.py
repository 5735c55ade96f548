"""What the scanners need beside their binaries, kept in the cache: checkov's own environment and KICS's queries.

checkov pins half of its dependencies to versions that the project cannot share, so it gets an environment for itself.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from mirror.errors import ToolMissing

from .programs import HERE

Report = Callable[[str], None]

REQUIREMENTS = HERE / "checkov-requirements.txt"
_KICS = HERE / "gomods" / "kics"
_KICS_MODULE = "github.com/Checkmarx/kics/v2"
_QUERIES = "assets/queries/k8s"
_READY = "ready"  # the last file that is written: without it the directory is half made


def checkov(cache: Path) -> Path:
    """The program, whether it is there yet or not."""
    return _kept(cache, "checkov", REQUIREMENTS) / "bin" / "checkov"


def queries(cache: Path) -> Path:
    """The directory of KICS's Kubernetes queries, whether it is there yet or not."""
    return _kept(cache, "kics-queries", _KICS / "go.sum")


def ensure(cache: Path, report: Report) -> None:
    """Make what is missing; does nothing when all is there. Raises ToolMissing."""
    for directory, make in ((checkov(cache).parents[1], _install_checkov), (queries(cache), _copy_queries)):
        if (directory / _READY).is_file():
            continue
        started = time.monotonic()
        shutil.rmtree(directory, ignore_errors=True)
        directory.parent.mkdir(exist_ok=True)
        report(f"making {directory.name}")
        make(directory)
        (directory / _READY).touch()
        report(f"made {directory.name} in {time.monotonic() - started:.0f} s")


def _kept(cache: Path, name: str, pins: Path) -> Path:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return cache / "scanners" / f"{name}-{hashlib.sha256(pins.read_bytes() + version.encode()).hexdigest()[:16]}"


def _install_checkov(environment: Path) -> None:
    _run([sys.executable, "-m", "venv", str(environment)])
    pip = [str(environment / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, "--no-deps", "--require-hashes", "--requirement", str(REQUIREMENTS)])


def _copy_queries(directory: Path) -> None:
    """Out of the module that the binary is built from, held against its go.sum; upstream's own tests stay behind."""
    answer = json.loads(_run(["go", "mod", "download", "-json", _KICS_MODULE], cwd=_KICS))
    shutil.copytree(Path(answer["Dir"]) / _QUERIES, directory, ignore=shutil.ignore_patterns("test"))
    for path in (directory, *directory.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)  # Go's module cache is read-only


def _run(command: list[str], cwd: Path | None = None) -> str:
    try:
        done = subprocess.run(command, cwd=cwd, check=False, capture_output=True, text=True)
    except FileNotFoundError as e:
        raise ToolMissing(command[0], "it is not on PATH", "Install it.") from e
    if done.returncode:
        why = (done.stdout + done.stderr).strip()[-1500:]
        raise ToolMissing(" ".join(command[:5]), why, "Look at its message; the package registries must be reachable.")
    return done.stdout
