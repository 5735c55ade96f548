#!/usr/bin/env python3
"""From a bare checkout to a ready virtual environment and the Debian packages. Standard library only: it comes first.

usage: bootstrap.py [--system]     --system also installs the Debian packages of packages.txt (root)
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = ROOT / ".venv"
LOCK = ROOT / "requirements.lock"
PACKAGES = Path(__file__).with_name("packages.txt")


def main() -> int:
    """Bring both up to date; does nothing, in well under a second, when they are."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this file is what an older Python meets first
        print(f"error: Python {sys.version.split()[0]} runs this")
        print("  Python 3.11 or newer is needed: make PYTHON=python3.11")
        return 11
    if "--system" in sys.argv[1:]:
        install_packages()
    install_environment()
    return 0


def install_packages() -> None:
    """Install the Debian packages that are not there yet."""
    wanted = [w for w in (line.split("#")[0].strip() for line in PACKAGES.read_text().splitlines()) if w]
    asked = subprocess.run(
        ["dpkg-query", "--show", "--showformat", "${binary:Package} ${db:Status-Status}\n", *wanted],
        check=False,
        capture_output=True,
        text=True,
    )
    installed = {line.split()[0].split(":")[0] for line in asked.stdout.splitlines() if line.endswith(" installed")}
    missing = [w for w in wanted if w not in installed]
    if not missing:
        return
    say(f"Debian packages: {' '.join(missing)}")
    quiet(["apt-get", "update", "-qq"])
    quiet(
        [
            "env",
            "DEBIAN_FRONTEND=noninteractive",
            "apt-get",
            "install",
            "-y",
            "-qq",
            "--no-install-recommends",
            *missing,
        ]
    )


def install_environment() -> None:
    """Make ``.venv`` from requirements.lock (every file checked by hash) and put the project into it, editable."""
    stamp = ENVIRONMENT / "ready"
    state = hashlib.sha256(LOCK.read_bytes() + (ROOT / "pyproject.toml").read_bytes() + str(ROOT).encode()).hexdigest()
    if stamp.is_file() and stamp.read_text() == state:
        return
    started = time.monotonic()
    say("virtual environment from requirements.lock")
    python = ENVIRONMENT / "bin" / "python"
    if not python.exists():
        quiet([sys.executable, "-m", "venv", str(ENVIRONMENT)])
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    # The lock is whole. Left to look for dependencies, pip asks for an extra at its newest version, and refuses that.
    quiet([*pip, "--no-deps", "--require-hashes", "-r", str(LOCK)])
    quiet(
        [
            *pip,
            "--no-deps",
            "--no-build-isolation",
            "--config-settings",
            "editable_mode=compat",
            "--editable",
            str(ROOT),
        ]
    )
    stamp.write_text(state)
    say(f"virtual environment ready in {time.monotonic() - started:.0f} s")


def quiet(command: list[str]) -> None:
    """Run ``command``; show what it said only when it failed."""
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        print(done.stdout + done.stderr, file=sys.stderr)
        print(f"error: {' '.join(command[:4])} ...: exit status {done.returncode}", file=sys.stderr)
        raise SystemExit(11)


def say(text: str) -> None:
    """A line of progress."""
    print(f"  {text}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
