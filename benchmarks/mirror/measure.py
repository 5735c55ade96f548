"""One command and what it cost: time, processor, memory, disk, bytes through the loopback of this network namespace."""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

EVERY = 0.03
"""Seconds between two looks at the processes; the disk is looked at less often."""
DISK_EVERY = 0.15
_BLOCK = 512


class Failed(Exception):
    """A command that did not do what it is measured for; its last words."""


@dataclass(frozen=True)
class Measured:
    """What a step cost. Several commands one after another are added up."""

    wall: float
    """Seconds."""
    cpu: float
    """Seconds, user and system, of the command and all its children."""
    registry_cpu: float
    """Seconds, of the registry that is written to."""
    rss: int
    """Bytes at the peak, of all processes together."""
    disk: int
    """Bytes at the peak, beyond what was there at the beginning."""
    wire: int
    """Bytes both ways, with all headers."""

    def __add__(self, other: Measured) -> Measured:
        return Measured(
            self.wall + other.wall,
            self.cpu + other.cpu,
            self.registry_cpu + other.registry_cpu,
            max(self.rss, other.rss),
            max(self.disk, other.disk),
            self.wire + other.wire,
        )


@dataclass(frozen=True)
class Where:
    """In what a command runs: its own directory, which all it writes lies below, and the registry it writes to."""

    directory: Path
    registry: psutil.Process | None = None
    interface: str = "lo"

    @property
    def environment(self) -> Mapping[str, str]:
        """The caller's, but for the places where programs leave files."""
        made = {"HOME": self.directory / "home", "TMPDIR": self.directory / "tmp"}
        for path in made.values():
            path.mkdir(parents=True, exist_ok=True)
        kept = {k: v for k, v in os.environ.items() if not k.startswith("XDG_")}
        return {**kept, **{k: str(v) for k, v in made.items()}}


def measure(command: Sequence[str], where: Where) -> Measured:
    """Run ``command`` to its end; raises Failed when its exit status is not 0."""
    environment = where.environment
    log = where.directory / "log"
    watch = _Watch(where.directory)
    wire, spent = _wire(where.interface), _cpu(where.registry)
    with log.open("wb") as out:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment)
        with watch.watching(process.pid):
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        said = log.read_text(errors="replace")[-1500:]
        raise Failed(f"{' '.join(command[:6])} ...: exit status {process.returncode}\n{said}")
    return Measured(
        wall=wall,
        cpu=usage.ru_utime + usage.ru_stime,
        registry_cpu=_cpu(where.registry) - spent,
        rss=watch.rss,
        disk=watch.disk,
        wire=_wire(where.interface) - wire,
    )


class _Watch:
    """Looks at a process and its children again and again, and keeps the peaks."""

    def __init__(self, directory: Path) -> None:
        self.rss = 0
        self.disk = 0
        self._directory = directory
        self._before = used(directory, [])
        self._ended = threading.Event()

    @contextlib.contextmanager
    def watching(self, pid: int) -> Iterator[None]:
        """Look at ``pid`` until the context ends, and once more at the disk."""
        thread = threading.Thread(target=self._look, args=(pid,))
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()
            self.disk = max(self.disk, used(self._directory, []) - self._before)

    def _look(self, pid: int) -> None:
        last = 0.0
        while not self._ended.wait(EVERY):
            tree = _tree(pid)
            self.rss = max(self.rss, sum(map(_rss, tree)))
            if time.monotonic() - last >= DISK_EVERY:
                self.disk = max(self.disk, used(self._directory, tree) - self._before)
                last = time.monotonic()


def used(directory: Path, processes: Sequence[psutil.Process]) -> int:
    """Bytes on the disk below ``directory``, and of files that ``processes`` still hold without a name."""
    found: dict[tuple[int, int], int] = {}
    for top, _, files in os.walk(directory):
        for name in files:
            with contextlib.suppress(OSError):
                _count(os.lstat(f"{top}/{name}"), found)
    for process in processes:
        with contextlib.suppress(OSError):
            for file in Path(f"/proc/{process.pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    seen = file.stat()
                    if seen.st_nlink == 0:
                        _count(seen, found)
    return sum(found.values())


def _count(seen: os.stat_result, found: dict[tuple[int, int], int]) -> None:
    if stat.S_ISREG(seen.st_mode):
        found[seen.st_dev, seen.st_ino] = seen.st_blocks * _BLOCK


def _tree(pid: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        top = psutil.Process(pid)
        return [top, *top.children(recursive=True)]
    return []


def _rss(process: psutil.Process) -> int:
    with contextlib.suppress(psutil.Error):
        return int(process.memory_info().rss)
    return 0


def _cpu(process: psutil.Process | None) -> float:
    if process is None:
        return 0.0
    spent = process.cpu_times()
    return float(spent.user + spent.system)


def _wire(interface: str) -> int:
    return int(psutil.net_io_counters(pernic=True)[interface].bytes_recv)
