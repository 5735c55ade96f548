"""Work done by several threads at once that ends early and cleanly: on the first failure, and on Ctrl-C."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import TypeVar

MOMENT = 2.0
"""Seconds that threads have to notice a stop after Ctrl-C."""
HEARTBEAT = 1.0
"""Seconds that the main thread waits at a time. A signal that arrives just before it waits does not wake it."""

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

    Raises that failure once all threads have ended, or KeyboardInterrupt, for which a thread that waits for an answer
    is not waited for longer than a moment.
    """
    stop = stop or Stop()
    pool = ThreadPoolExecutor(workers)
    futures: list[Future[U]] = []
    patient = True
    try:
        futures = [pool.submit(_unless_stopped, work, i, stop) for i in items]
        while wait(futures, HEARTBEAT, FIRST_EXCEPTION).not_done and not _failures(futures):
            pass
        if failures := _failures(futures):
            raise next((e for e in failures if not isinstance(e, Stopped)), failures[0])
        return [f.result() for f in futures]
    except KeyboardInterrupt:
        stop.now()
        pool.shutdown(wait=False, cancel_futures=True)
        wait([f for f in futures if not f.cancelled()], MOMENT)
        patient = False
        raise
    except BaseException:
        stop.now()
        raise
    finally:
        pool.shutdown(wait=patient, cancel_futures=True)


def each(work: Callable[[T], U], items: Iterable[T], workers: int) -> list[U]:
    """``work`` on each of ``items``, which does not ask for a stop; as :func:`parallel` in everything else."""
    return parallel(work, items, workers)


def _unless_stopped(work: Callable[[T], U], item: T, stop: Stop) -> U:
    """``work`` on ``item``; a failure stops the rest here, before this thread could begin with the next item."""
    stop.check()
    try:
        return work(item)
    except BaseException:
        stop.now()
        raise


def _failures(futures: list[Future[U]]) -> list[BaseException]:
    return [e for f in futures if f.done() and not f.cancelled() and (e := f.exception())]
