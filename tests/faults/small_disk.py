"""Runs a command on a disk that is too small, which grows a little each time; for ``unshare``, as it mounts the disk.

usage: small_disk.py DIRECTORY FIRST STEP COMMAND...     sizes in bytes; DIRECTORY is where the disk is mounted
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

FULL = 7
"""The exit code of NoSpace."""
TIMES = 200


def main(directory: str, first: int, step: int, command: list[str]) -> int:
    """Prints how often the disk was full and what else came out; gives the command's last exit code."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={first}", "tmpfs", directory], check=True)
    full = 0
    for n in range(TIMES):
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode != FULL:
            break
        full += 1
        if "instead: Make room and run the command again; it continues." not in done.stderr:
            break
        grown = f"remount,size={first + (n + 1) * step}"
        subprocess.run(["mount", "-o", grown, directory], check=True)
    kept = {str(p.relative_to(directory)): p.read_bytes().hex() for p in Path(directory).rglob("*") if p.is_file()}
    print(json.dumps({"full": full, "said": done.stderr[-2000:], "files": kept}))
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]))
