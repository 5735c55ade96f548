"""Waiting for and ending processes by identity: a pid with its start time, never a name or a pattern."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Self

from mirror.document import Strict
from mirror.errors import ToolMissing

_POLL = 0.05  # seconds between two looks at a condition
GRACE = 5.0
"""Seconds that a process has between SIGTERM and SIGKILL."""


class Process(Strict):
    """A process that stays the same one: ``start`` is its start time in clock ticks since boot (proc(5), field 22)."""

    name: str
    pid: int
    start: int

    @classmethod
    def of(cls, name: str, pid: int) -> Self:
        """The process that has ``pid`` now; raises ProcessLookupError when there is none."""
        return cls(name=name, pid=pid, start=_start_time(pid))

    @property
    def alive(self) -> bool:
        """Whether this very process (not a later one with its pid) still runs; a zombie does not."""
        try:
            return _start_time(self.pid) == self.start
        except ProcessLookupError:
            return False

    def end(self, sign: signal.Signals = signal.SIGTERM, grace: float = GRACE) -> None:
        """Send ``sign``, after ``grace`` seconds SIGKILL, and wait until it is gone. No other process is touched."""
        try:
            handle = os.pidfd_open(self.pid)  # pins the process: the pid cannot pass to another while we look
        except ProcessLookupError:
            return
        try:
            if self.alive:
                _signal(handle, sign)
                if not _gone(handle, grace):
                    _signal(handle, signal.SIGKILL)
                    if not _gone(handle, grace):
                        raise ToolMissing(
                            f"process {self.name} ({self.pid})", "it outlives SIGKILL", "Look at it with ps and dmesg."
                        )
        finally:
            os.close(handle)
        with suppress(ChildProcessError):  # started by somebody else: its parent reaps it
            os.waitpid(self.pid, os.WNOHANG)


def in_network_namespace(handle: Path) -> list[Process]:
    """Every process whose network namespace is the one bound at ``handle`` (the identity of an inode, not a name)."""
    wanted = handle.stat()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with suppress(FileNotFoundError, ProcessLookupError, PermissionError):  # it ended while we looked
                seen = (entry / "ns/net").stat()
                if (seen.st_dev, seen.st_ino) == (wanted.st_dev, wanted.st_ino):
                    found.append(Process.of((entry / "comm").read_text().strip(), int(entry.name)))
    return found


def require(programs: Iterable[str], path: str) -> None:
    """Raise ToolMissing unless this process is root and finds all ``programs`` on ``path``."""
    if os.geteuid() != 0:
        raise ToolMissing("the rehearsal", "it makes namespaces, which only root may", "Run it as root.")
    missing = [program for program in programs if not shutil.which(program, path=path)]
    if missing:
        packages = "docker-registry iproute2 nftables iptables conntrack util-linux procps containernetworking-plugins"
        raise ToolMissing(
            ", ".join(missing),
            "not found on PATH or among the built programs",
            f"Build the programs with the toolchain; the rest is in Debian's {packages}.",
        )


def wait_until(
    what: str, ready: Callable[[], bool], *, seconds: float, needs: list[Process] | None = None, log: Path | None = None
) -> None:
    """Wait until ``ready()``; raises ToolMissing after ``seconds``, or as soon as one of ``needs`` has ended.

    The message carries the end of ``log``, which is where the reason stands.
    """
    deadline = time.monotonic() + seconds
    while not ready():
        ended = [p.name for p in needs or [] if not p.alive]
        if ended or time.monotonic() > deadline:
            why = f"{', '.join(ended)} ended" if ended else f"not within {seconds:.0f} s"
            raise ToolMissing(what, f"{why}{_tail(log)}", f"Read {log or 'the logs'} and start again.")
        time.sleep(_POLL)


def output(argv: list[str], *, given: str | None = None, env: dict[str, str] | None = None, seconds: float = 60) -> str:
    """What ``argv`` prints, with ``given`` on its standard input; raises ToolMissing when it is absent or fails."""
    try:
        done = subprocess.run(argv, input=given, env=env, text=True, capture_output=True, timeout=seconds)
    except (OSError, subprocess.TimeoutExpired) as e:
        raise ToolMissing(argv[0], str(e), "Install it (Debian: iproute2, nftables, util-linux).") from e
    if done.returncode:
        raise ToolMissing(
            " ".join(argv), f"exit status {done.returncode}: {done.stderr.strip()[-2000:]}", "Mend what it says."
        )
    return done.stdout


def _tail(log: Path | None, characters: int = 1500) -> str:
    return f"; its log ends: {log.read_text(errors='replace')[-characters:]}" if log and log.exists() else ""


def _start_time(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError as e:
        raise ProcessLookupError(pid) from e
    if fields[0] in "ZX":
        raise ProcessLookupError(pid)
    return int(fields[19])


def _signal(handle: int, sign: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # it ended by itself in between
        signal.pidfd_send_signal(handle, sign)


def _gone(handle: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(handle, select.POLLIN)  # a pidfd becomes readable when its process ends (pidfd_open(2))
    return bool(poll.poll(seconds * 1000))
