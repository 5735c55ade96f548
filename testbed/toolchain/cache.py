"""Where everything that later runs reuse is kept."""

from __future__ import annotations

import os
from pathlib import Path


def cache_directory() -> Path:
    """``$SEALIFT_CACHE``, else ``$XDG_CACHE_HOME/sealift``, else ``~/.cache/sealift``; made when absent."""
    if given := os.environ.get("SEALIFT_CACHE"):
        path = Path(given)
    else:
        path = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sealift"
    path.mkdir(parents=True, exist_ok=True)
    return path.resolve()
