"""Work done by several threads at once that ends early and cleanly: on the first failure, and on Ctrl-C."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TypeVar

T = TypeVar("T")
U = TypeVar("U")


class Stopped(Exception):
    """Other work failed, or a person pressed Ctrl-C: this work ends at once."""


class Stop:
    """Asked for between pieces of long work; also waits, and is woken by a stop."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def now(self) -> None:
        """Everything ends."""
        self._event.set()

    def check(self) -> None:
        """Raise Stopped when everything ends."""
        if self._event.is_set():
            raise Stopped

    def sleep(self, seconds: float) -> None:
        """Wait, unless everything ends meanwhile; raises Stopped."""
        if self._event.wait(seconds):
            raise Stopped


def parallel(work: Callable[[T], U], items: Iterable[T], workers: int, stop: Stop | None = None) -> list[U]:
    """``work`` on each of ``items``, several at once, in order of results; the first failure stops the rest.

    Raises that failure, or KeyboardInterrupt once all threads have ended.
    """
    stop = stop or Stop()
    pool = ThreadPoolExecutor(workers)
    try:
        futures = [pool.submit(work, i) for i in items]
        wait(futures, return_when=FIRST_EXCEPTION)
        failures = [e for f in futures if f.done() and not f.cancelled() and (e := f.exception())]
        if failures:
            stop.now()
            raise next((e for e in failures if not isinstance(e, Stopped)), failures[0])
        return [f.result() for f in futures]
    except BaseException:
        stop.now()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def each(work: Callable[[T], U], items: Iterable[T], workers: int) -> list[U]:
    """``work`` on each of ``items``, which reports its failures itself, in the items' order."""
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(work, items))
