"""Work by several threads ends early and cleanly."""

from __future__ import annotations

import signal
import threading
import time
from concurrent.futures import Future, wait
from concurrent.futures._base import DoneAndNotDoneFutures

import pytest

from mirror.parallel import Stop, Stopped, parallel


def test_results_come_in_the_order_of_the_items() -> None:
    def work(n: int) -> int:
        time.sleep(0.02 / n)
        return n

    assert parallel(work, range(1, 9), 4) == list(range(1, 9))


def test_the_first_failure_stops_the_rest_and_is_what_is_raised() -> None:
    stop = Stop()

    def work(n: int) -> None:
        if n == 1:
            raise ValueError("the second")
        stop.sleep(30)

    started = time.monotonic()
    with pytest.raises(ValueError, match="the second"):
        parallel(work, range(20), 4, stop)
    assert time.monotonic() - started < 10


def test_nothing_is_begun_after_a_failure_however_late_the_main_thread_hears_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun: list[int] = []

    def work(n: int) -> None:
        begun.append(n)
        raise ValueError("the first")

    def late(futures: list[Future[None]], seconds: float, until: str) -> DoneAndNotDoneFutures[None]:
        found = wait(futures, seconds, until)
        time.sleep(0.2)
        return found

    monkeypatch.setattr("mirror.parallel.wait", late)
    with pytest.raises(ValueError, match="the first"):
        parallel(work, range(5), 1)
    assert begun == [0]


def test_a_signal_that_does_not_wake_the_main_thread_still_ends_the_work_soon() -> None:
    stop = Stop()
    ended: list[bool] = []

    def work(_: int) -> None:
        time.sleep(0.3)  # The main thread waits by then.
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)  # Taken here: that does not wake it.
        try:
            stop.sleep(30)
        except Stopped:
            ended.append(True)
            raise

    started = time.monotonic()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            parallel(work, [1], 1, stop)
    finally:
        signal.signal(signal.SIGINT, before)
    assert time.monotonic() - started < 10
    assert ended == [True]
