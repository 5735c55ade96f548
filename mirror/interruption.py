"""Ctrl-C and SIGTERM: what was done stays, and one line says so and how to go on.

Everything that is written is safe against ``kill -9`` at any moment, so nothing has to be put right here. The first
signal ends the work as soon as its threads notice; a second one ends the process at once.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from .errors import Interrupted, Terminated

SIGNALS = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}
AGAIN = "run the same command again, it goes on from there"

_received: list[int] = []


def _receive(number: int, _: FrameType | None) -> None:
    if _received:
        os._exit(128 + number)
    _received.append(number)
    raise KeyboardInterrupt


@contextmanager
def listening() -> Iterator[None]:
    """Within it both signals raise KeyboardInterrupt in the main thread."""
    _received.clear()
    before = {number: signal.signal(number, _receive) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def interrupted(kept: str) -> Interrupted:
    """The error for the signal that came; ``kept`` says what there is now."""
    number = _received[0] if _received else signal.SIGINT
    kind = Terminated if number == signal.SIGTERM else Interrupted
    return kind("interrupted", f"{SIGNALS[signal.Signals(number)]}, {kept}", AGAIN)


@contextmanager
def resumable(kept: str) -> Iterator[None]:
    """Within it a signal raises Interrupted, which says by ``kept`` what there is to go on with."""
    try:
        yield
    except KeyboardInterrupt as e:
        raise interrupted(kept) from e


def leave(code: int) -> int:
    """``code``; after a signal the process ends with it here, without waiting for threads that still wait for others.

    What comes at a moment when everything is done has nothing to interrupt any more.
    """
    if _received:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    return code
