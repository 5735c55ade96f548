"""The file ``bootstrap`` of a bundle: a few lines of shell that find Python, the installer, and the list of files."""

from __future__ import annotations

import json
from importlib import resources

from ..lock import Lock, LockedBootstrap
from .target import MACHINES

_LISTED = 'json.loads("{}")'
"""What stands in the installer where its list comes to be."""


def text(lock: Lock, lock_sha256: str) -> str | None:
    """The script of a bundle of ``lock``: equal locks give equal bytes. None where the lock sets up nothing."""
    if lock.bootstrap is None:
        return None
    room = resources.files(__package__)
    shell = (room / "bootstrap.sh").read_text()
    installer = (room / "installer.py").read_text()
    listed = json.dumps(_listed(lock.bootstrap, lock_sha256), indent=1, sort_keys=True)
    if "'''" in listed or installer.count(_LISTED) != 1 or "\nINSTALLER\n" in listed:
        raise AssertionError("the installer has no one place for its list")
    program = installer.replace(_LISTED, f"json.loads(r'''{listed}''')")
    return shell.replace("@PYTHONS@", " ".join(sorted(lock.bootstrap.pythons))).replace("@INSTALLER@\n", program)


def _listed(said: LockedBootstrap, lock_sha256: str) -> dict[str, object]:
    """What the installer is told; see there."""
    platforms = {t.rpartition(" ")[0] for w in said.wheels for t in w.targets}
    return {
        "lock": lock_sha256,
        "project": said.project,
        "machines": {MACHINES[p]: p for p in sorted(platforms)},
        "tools": [
            {
                "name": t.name,
                "version": t.version,
                "platform": t.platform,
                "sha256": t.file.sha256,
                "programs": t.programs,
                "plugin": t.plugin,
            }
            for t in said.tools
        ],
        "wheels": [
            {
                "name": w.name,
                "version": w.version,
                "file": w.file.name,
                "sha256": w.file.sha256,
                "targets": w.targets,
            }
            for w in said.wheels
        ],
    }
