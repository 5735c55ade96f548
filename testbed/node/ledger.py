"""The ledger of one site: what it has running and has made, on disk, for whoever must clean up after it."""

from __future__ import annotations

import fcntl
import os
import subprocess
from pathlib import Path

from mirror.document import FileModel
from mirror.errors import SealiftError, ToolMissing

from .processes import GRACE, Process


class Busy(SealiftError):
    """The site of this name belongs to an orchestrator that still runs."""

    exit_code = 11


class Ledger(FileModel):
    """What one site has running, on disk, so that a later run can clean up after one that was killed.

    ``boot`` is the kernel's boot id: pids and start times of another boot mean nothing. ``directories`` are those that
    the site made outside its own. Both lists are in the order of making.
    """

    boot: str
    processes: list[Process] = []
    directories: list[Path] = []


class Book:
    """The open ledger of one site. It begins with what an earlier run left; a lock keeps everybody else out.

    The lock is the kernel's (flock(2)), so it ends with the orchestrator however that ends. Raises Busy when taken.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(path.with_suffix(".lock"))
        left = Ledger.read(path) if path.exists() else None
        self.ledger = left if left and left.boot == _boot() else Ledger(boot=_boot())
        self._children: list[subprocess.Popen[bytes]] = []

    def start(self, name: str, argv: list[str], log: Path, env: dict[str, str]) -> Process:
        """Start a daemon in its own session, output to ``log``, and enter it; raises ToolMissing if it cannot start."""
        with log.open("ab") as output:
            try:
                child = subprocess.Popen(
                    argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=env, start_new_session=True
                )
            except OSError as e:
                raise ToolMissing(argv[0], str(e), "Install it or point to the directory that holds it.") from e
        self._children.append(child)
        return self.enter(Process.of(name, child.pid))

    def enter(self, process: Process) -> Process:
        """Enter a process that was started otherwise."""
        self._replace(processes=[*self.ledger.processes, process])
        return process

    def own(self, directory: Path) -> None:
        """Make ``directory`` if it is not there, and enter those that had to be made: they go again at the end."""
        for missing in [d for d in reversed([directory, *directory.parents]) if not d.exists()]:
            self._replace(directories=[*self.ledger.directories, missing])
            missing.mkdir()

    def end(self, names: set[str] | None = None) -> None:
        """End the processes called ``names`` (None: all), the latest first, and collect their status."""
        ending = [p for p in self.ledger.processes if names is None or p.name in names]
        for process in reversed(ending):
            process.end()
        pids = {p.pid for p in ending}
        for child in [c for c in self._children if c.pid in pids]:
            child.wait(GRACE)
            self._children.remove(child)
        self._replace(processes=[p for p in self.ledger.processes if p not in ending])

    def disown(self) -> None:
        """Remove the entered directories that are empty."""
        for directory in reversed(self.ledger.directories):
            if directory.exists() and not any(directory.iterdir()):
                directory.rmdir()
        self._replace(directories=[])

    def close(self) -> None:
        """Remove the ledger, which must be empty by now, and give the name free. Nothing happens the second time."""
        if self._lock is not None:
            self._path.unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None

    @property
    def closed(self) -> bool:
        """Whether the name was given free."""
        return self._lock is None

    def _replace(self, **changes: object) -> None:
        self.ledger = self.ledger.model_copy(update=changes)
        self.ledger.write(self._path)


def _locked(path: Path) -> int | None:
    handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as e:
        os.close(handle)
        raise Busy(
            f"site {path.stem}", "another process is using it", "Wait until it ends, or give the site another name."
        ) from e
    return handle


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
