"""A first piece of a blob, to measure how fast it comes; it is not kept."""

from __future__ import annotations

import time

MOST = 16 << 20
"""Bytes after which enough is known."""
LONGEST = 1.0
"""Seconds after which enough is known."""


class Enough(Exception):
    """The rate is known."""


class Taste:
    """Takes content and throws it away."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._position = 0

    @property
    def position(self) -> int:
        """How many bytes came."""
        return self._position

    @property
    def rate(self) -> float:
        """Bytes a second."""
        return self._position / max(time.monotonic() - self._started, 1e-6)

    def write(self, piece: memoryview) -> None:
        """Take ``piece``; raises Enough."""
        self._position += len(piece)
        if self._position >= MOST or time.monotonic() - self._started > LONGEST:
            raise Enough

    def restart(self) -> None:
        """Forget what came."""
        raise Enough

    def digest(self) -> str:
        """Unknown: nothing is kept."""
        raise Enough
