"""Where large uploads stand, on disk: after a kill the next run goes on inside the blob."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, MutableMapping
from pathlib import Path

from .atomic import write_atomically


class Journal(MutableMapping[str, str]):
    """Locations by ``repository@digest`` in a small file; none is no file, and an unreadable one counts as none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._known: dict[str, str] = {}
        try:
            data = json.loads(path.read_bytes())
            self._known = {str(k): str(v) for k, v in data.items()}
        except (OSError, ValueError, AttributeError):
            pass

    def __getitem__(self, key: str) -> str:
        return self._known[key]

    def __setitem__(self, key: str, value: str) -> None:
        with self._lock:
            self._known[key] = value
            self._write()

    def __delitem__(self, key: str) -> None:
        with self._lock:
            del self._known[key]
            self._write()

    def __iter__(self) -> Iterator[str]:
        return iter(dict(self._known))

    def __len__(self) -> int:
        return len(self._known)

    def _write(self) -> None:
        if self._known:
            write_atomically(self._path, json.dumps(self._known))
        else:
            self._path.unlink(missing_ok=True)
