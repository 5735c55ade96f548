"""The programs of the rehearsal, built from pinned Go modules into the cache, two modules at a time."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from mirror.document import Strict, validate
from mirror.errors import ToolMissing
from mirror.parallel import MOMENT, Stop, Stopped, parallel

HERE = Path(__file__).parent
AT_ONCE = 2
"""Modules whose programs are built side by side: links keep one core busy, and downloads none."""
COLLECTED = "400"
"""Percent by which the compiler's heap grows before it collects garbage. It takes three quarters of the processor time
that it takes at Go's own 100, and a fifth more memory."""
Report = Callable[[str], None]
Group = Literal["rehearsal", "benchmarks"]
"""For what programs are built: nothing builds the ones of the other."""


class Present(Strict):
    """How to recognise a program of this machine that may be used instead."""

    arguments: list[str]
    holds: str


class Program(Strict):
    """One ``main`` package."""

    name: str
    package: str
    set: dict[str, str] = {}
    """String variables that the linker sets, as upstream's own build does."""
    version: Present | None = None


class Module(Strict):
    """A directory with go.mod and go.sum, relative to this one, and the programs built with it."""

    directory: str
    program: list[Program]
    set: dict[str, str] = {}
    cgo: bool = False
    tags: list[str] = []
    group: Group = "rehearsal"


class Programs(Strict):
    """The whole list."""

    module: list[Module]


@dataclass(frozen=True)
class Build:
    """One program and everything that decides its bytes."""

    module: Module
    program: Program
    source: Path
    key: str

    def command(self, output: Path) -> list[str]:
        """The ``go build`` that makes it."""
        variables = {**self.module.set, **self.program.set}
        linker = " ".join(["-s", "-w", *(f"-X {k}={v}" for k, v in variables.items())])
        tags = ["-tags", ",".join(self.module.tags)] if self.module.tags else []
        return [
            "go",
            "build",
            "-mod=readonly",
            "-trimpath",
            *tags,
            "-ldflags",
            linker,
            "-o",
            str(output),
            self.program.package,
        ]


def declared(group: Group = "rehearsal") -> list[Module]:
    """The modules of programs.toml that ``group`` needs, in the order of building."""
    data = tomllib.loads((HERE / "programs.toml").read_text())
    return [m for m in validate(Programs, data, "programs.toml").module if m.group == group]


def plan(modules: list[Module]) -> list[Build]:
    """What is to be built, each with the key that its binary is kept under."""
    return [Build(m, p, (HERE / m.directory).resolve(), _key(m, p)) for m in modules for p in m.program]


def ensure(directory: Path, report: Report, modules: list[Module] | None = None) -> Path:
    """Build what is missing of ``modules`` (the rehearsal's) and return a directory with every program by name.

    A binary is kept under the hash of its go.mod, go.sum, own sources, flags and Go version, so a warm run builds
    nothing; a program of this machine in the right version is linked instead. Raises ToolMissing.
    """
    store, names = directory / "programs", directory / "bin"
    store.mkdir(exist_ok=True)
    names.mkdir(exist_ok=True)
    builds = plan(declared() if modules is None else modules)
    missing = [b for b in builds if not (store / b.key).exists()]
    stop, numbers = Stop(), {b.key: f"{n} of {len(missing)}" for n, b in enumerate(missing, 1)}

    def build(source: Path) -> None:
        for b in (b for b in missing if b.source == source):
            stop.check()
            _build_or_find(b, store / b.key, names, numbers[b.key], report, stop)

    parallel(build, dict.fromkeys(b.source for b in missing), AT_ONCE, stop)
    for b in builds:
        _link(names / b.program.name, store / b.key)
    return names


def _build_or_find(build: Build, target: Path, names: Path, number: str, report: Report, stop: Stop) -> None:
    if found := _present(build.program, names):
        target.symlink_to(found)
        return
    started = time.monotonic()
    report(f"building {build.program.name} ({number})")
    _build(build, target, stop)
    size = target.stat().st_size / 1e6
    report(f"built {build.program.name}: {size:.0f} MB in {time.monotonic() - started:.0f} s")


def _key(module: Module, program: Program) -> str:
    digest = hashlib.sha256(_go_version().encode())
    for path in _sources(HERE / module.directory):
        digest.update(path.name.encode() + path.read_bytes())
    digest.update(repr((module.set, module.cgo, module.tags, program.package, program.set)).encode())
    return f"{program.name}-{digest.hexdigest()[:16]}"


def _sources(directory: Path) -> Iterator[Path]:
    yield from sorted(p for p in directory.rglob("*") if p.name in ("go.mod", "go.sum") or _is_source(p))


def _is_source(path: Path) -> bool:
    return path.suffix == ".go" and not path.name.endswith("_test.go")


@cache
def _go_version() -> str:
    if not shutil.which("go"):
        raise ToolMissing("go", "not on PATH", "Install Go 1.26 or newer.")
    return subprocess.run(["go", "env", "GOVERSION"], check=True, capture_output=True, text=True).stdout


def _present(program: Program, own: Path) -> Path | None:
    path = os.pathsep.join(p for p in os.environ.get("PATH", "").split(os.pathsep) if Path(p) != own)
    found = shutil.which(program.name, path=path)
    if not (found and program.version):
        return None
    said = subprocess.run([found, *program.version.arguments], check=False, capture_output=True, text=True)
    return Path(found) if program.version.holds in said.stdout + said.stderr else None


def _build(build: Build, target: Path, stop: Stop) -> None:
    partial = target.with_suffix(".partial")
    settings = {"CGO_ENABLED": str(int(build.module.cgo)), "GOFLAGS": "-buildvcs=false"}
    env = {"GOGC": COLLECTED, **os.environ, **settings}
    with subprocess.Popen(build.command(partial), cwd=build.source, env=env, stderr=subprocess.PIPE, text=True) as go:
        said = _until_done(go, stop)
    if go.returncode:
        raise ToolMissing(
            build.program.name,
            f"go build failed: {said.strip()[-2000:]}",
            f"Mend testbed/toolchain/{build.module.directory} or the way to the Go module proxy, and run again.",
        )
    partial.rename(target)


def _until_done(process: subprocess.Popen[str], stop: Stop) -> str:
    """What ``process`` said on standard error; it is ended when everything ends."""
    while True:
        try:
            return process.communicate(timeout=MOMENT / 4)[1]
        except subprocess.TimeoutExpired:
            try:
                stop.check()
            except Stopped:
                process.terminate()
                raise


def _link(name: Path, target: Path) -> None:
    if name.is_symlink() and name.readlink() == target:
        return
    name.unlink(missing_ok=True)
    name.symlink_to(target)
