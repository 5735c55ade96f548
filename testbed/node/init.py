"""Pid 1 of the node's own mount and pid namespace: makes its mounts, says so, then reaps orphans until SIGTERM.

    python init.py PLAN.json

A file on its own, run by whatever Python runs the rehearsal. The plan is ``{"mounts": [[ARGUMENT, ...], ...],
"ready": PATH}``: arguments of mount(8) in order, and the file that is made when all are done. When this process ends,
the kernel ends everything in its pid namespace (pid_namespaces(7)); the mounts go with their namespace.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path


def main(plan: Path) -> None:
    """Carry out the plan, then wait for children that nobody waits for."""
    steps = json.loads(plan.read_text())
    signals = [signal.SIGCHLD, signal.SIGTERM]
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # pid 1 never sees a signal that it neither blocks nor takes
    for arguments in steps["mounts"]:
        target = Path(arguments[-1])
        if not target.exists():  # below a tmpfs that an earlier step mounted
            target.mkdir(parents=True)
        subprocess.run(["mount", *arguments], check=True)
    Path(steps["ready"]).touch()
    while signal.sigwait(signals) != signal.SIGTERM:
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass


if __name__ == "__main__":
    main(Path(sys.argv[1]))
