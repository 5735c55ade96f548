"""A command of the rehearsal: shown while it runs, kept in a log, and an error when it does not do what it should."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from mirror.errors import SealiftError

from .timeline import Timeline

_SHOWN = 150  # characters of a command's line that are reported while it runs
_TOLD = 30  # last lines that an error repeats
_DONE = re.compile(r"(\S+/\S+|\S+) (created|updated|deleted|replaced) \(")  # a line of Pulumi's plain progress


class CommandFailed(SealiftError):
    """A command of the rehearsal failed; its whole output is in the log that the error names."""

    exit_code = 12


Show = Callable[[str], str | None]
"""What is reported of a line while a command runs; None for nothing."""


def whole(line: str) -> str | None:
    """Every line that is not empty."""
    return line.strip() and line.rstrip()


class Counted:
    """Of an engine's many lines, how many resources are done and which was the last, every ``every`` of them."""

    def __init__(self, every: int = 20) -> None:
        self.done = 0
        self._every = every

    def __call__(self, line: str) -> str | None:
        """See :data:`Show`."""
        found = _DONE.search(line)
        if found is None:
            return line.rstrip() if " error: " in line or line.startswith("error: ") else None
        self.done += 1
        return f"{self.done} {found[2]}, the last {found[1]}" if self.done % self._every == 0 else None


def follow(process: subprocess.Popen[bytes], timeline: Timeline, log: Path, show: Show = whole) -> str:
    """Report the lines of ``process`` as they come, append them to ``log``, and return all of it when it has ended.

    The largest resident set of the process and of those that it started is kept as a fact of the step when it is
    more than 100 MB. Raises CommandFailed on a non-zero exit status.
    """
    assert process.stdout is not None
    assert isinstance(process.args, list)
    words = [str(a) for a in process.args]
    lines: list[str] = []
    log.parent.mkdir(parents=True, exist_ok=True)
    with process.stdout, log.open("a", encoding="utf-8") as kept:
        kept.write(f"$ {' '.join(words)}\n")
        for raw in process.stdout:
            line = raw.decode(errors="replace")
            kept.write(line)
            kept.flush()
            lines.append(line)
            if said := show(line):
                timeline.report(said[:_SHOWN])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    timeline.peak(usage.ru_maxrss * 1024)
    if process.returncode:
        end = "".join(lines[-_TOLD:]).rstrip()
        raise CommandFailed(
            " ".join(words[-4:]), f"exit status {process.returncode}:\n{end}", f"The whole output is in {log}."
        )
    return "".join(lines)
