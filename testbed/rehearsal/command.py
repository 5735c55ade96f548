"""A command of the rehearsal: shown while it runs, kept in a log, and an error when it does not do what it should."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from mirror.errors import SealiftError

from .timeline import Timeline

_SHOWN = 150  # characters of a command's line that are reported while it runs
_TOLD = 30  # last lines that an error repeats


class CommandFailed(SealiftError):
    """A command of the rehearsal failed; its whole output is in the log that the error names."""

    exit_code = 12


def follow(process: subprocess.Popen[bytes], timeline: Timeline, log: Path) -> str:
    """Report each line of ``process`` as it comes, append it to ``log``, and return all of it when it has ended.

    The largest resident set of the process and of those that it started is kept as a fact of the step when it is
    more than 100 MB. Raises CommandFailed on a non-zero exit status.
    """
    assert process.stdout is not None
    assert isinstance(process.args, list)
    words = [str(a) for a in process.args]
    lines: list[str] = []
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as kept:
        kept.write(f"$ {' '.join(words)}\n")
        for raw in process.stdout:
            line = raw.decode(errors="replace")
            kept.write(line)
            kept.flush()
            lines.append(line)
            if line.strip():
                timeline.report(line.rstrip()[:_SHOWN])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    timeline.peak(usage.ru_maxrss * 1024)
    if process.returncode:
        said = "".join(lines[-_TOLD:]).rstrip()
        raise CommandFailed(
            " ".join(words[-4:]), f"exit status {process.returncode}:\n{said}", f"The whole output is in {log}."
        )
    return "".join(lines)
