"""Disk, planned: asked for before the work starts, not met in the middle of it."""

from __future__ import annotations

import shutil
from pathlib import Path

from mirror.errors import NoSpace

GB = 10**9


def require(path: Path, needed: int, what: str) -> None:
    """Refuse with NoSpace when the disk of ``path`` has fewer than ``needed`` bytes free for ``what``."""
    free = shutil.disk_usage(path).free
    if free < needed:
        raise NoSpace(
            str(path),
            f"{what} needs {needed / GB:.1f} GB, {free / GB:.1f} GB are free",
            "Free some space, or name another disk with SEALIFT_CACHE and --work.",
        )
