"""Progress of long work: bytes, rate and time left of the whole and of each item.

Bars on a terminal, a line now and then elsewhere, events (a JSON object a line) for machines; all on standard error.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, Protocol

from msgspec import Struct, field

if TYPE_CHECKING:
    from rich.console import Console

EVERY = 5.0
"""Seconds between two lines off a terminal."""
EVENTS_EVERY = 1.0
LARGE = 16 << 20
"""Bytes from which an item has a bar of its own while it moves."""
RECENT = 10.0
"""Seconds over which the rate is measured."""


class Report(Protocol):
    """Is told how far work has come. Called from several threads."""

    def begin(self, what: str, total: int) -> None:
        """Work on ``total`` bytes begins, and any work before it is done."""
        ...

    def advance(self, count: int) -> None:
        """``count`` more bytes are done; fewer when it is negative: they must be moved again."""
        ...

    def item(self, name: str, size: int) -> Moving:
        """Work on one item of ``size`` bytes begins; it counts towards the whole."""
        ...

    def say(self, line: str) -> None:
        """One thing is done or must be known."""
        ...


class Moving(Protocol):
    """One item that is being moved."""

    def advance(self, count: int) -> None:
        """See :meth:`Report.advance`."""
        ...

    def done(self) -> None:
        """Nothing more comes of it, arrived or not."""
        ...


class Silent:
    """Reports nothing: tests. It is its own item."""

    def begin(self, what: str, total: int) -> None:
        """See :class:`Report`."""

    def advance(self, count: int) -> None:
        """See :class:`Report`."""

    def item(self, name: str, size: int) -> Moving:
        """See :class:`Report`."""
        return self

    def done(self) -> None:
        """See :class:`Moving`."""

    def say(self, line: str) -> None:
        """See :class:`Report`."""


class Pace(Struct):
    """How far, how fast, how long still."""

    total: int
    now: Callable[[], float] = time.monotonic
    done: int = 0
    _seen: deque[tuple[float, int]] = field(default_factory=deque)

    def advance(self, count: int) -> None:
        """``count`` more bytes are done."""
        self.done += count
        self._note()

    @property
    def rate(self) -> float:
        """Bytes a second of late; 0 when nothing is known."""
        if len(self._seen) < 2:
            return 0.0
        (t0, d0), (t1, d1) = self._seen[0], self._seen[-1]
        return max(0.0, (d1 - d0) / (t1 - t0)) if t1 > t0 else 0.0

    @property
    def left(self) -> float | None:
        """Seconds until the end at this rate; None when that cannot be said."""
        return (self.total - self.done) / self.rate if self.rate else None

    def _note(self) -> None:
        at = self.now()
        if not self._seen or at - self._seen[-1][0] >= 0.25:
            self._seen.append((at, self.done))
        while len(self._seen) > 2 and at - self._seen[0][0] > RECENT:
            self._seen.popleft()


class _Written(ABC):
    """A report to a stream, which says now and then how far the whole has come."""

    def __init__(self, stream: IO[str], every: float) -> None:
        self._stream = stream
        self._every = every
        self._lock = threading.Lock()
        self._what = ""
        self._pace = Pace(0)
        self._last = 0.0

    def begin(self, what: str, total: int) -> None:
        """See :class:`Report`."""
        self._what, self._pace, self._last = what, Pace(total), time.monotonic()
        self._begun()

    def advance(self, count: int) -> None:
        """See :class:`Report`."""
        with self._lock:
            self._pace.advance(count)
            due = time.monotonic() - self._last >= self._every
            if due:
                self._last = time.monotonic()
        if due:
            self._come()

    @abstractmethod
    def _begun(self) -> None:
        """Say that work has begun."""

    @abstractmethod
    def _come(self) -> None:
        """Say how far it has come."""

    def _print(self, line: str) -> None:
        with self._lock:
            print(line, file=self._stream, flush=True)


class Lines(_Written):
    """One line for each thing begun or done, and one now and then for how far the whole has come."""

    def __init__(self, stream: IO[str], every: float = EVERY) -> None:
        super().__init__(stream, every)

    def item(self, name: str, size: int) -> Moving:
        """See :class:`Report`."""
        return _Item(self.advance, lambda: None)

    def say(self, line: str) -> None:
        """See :class:`Report`."""
        self._print(line)

    def _begun(self) -> None:
        if self._pace.total:
            self.say(f"{self._what}: {size(self._pace.total)}")

    def _come(self) -> None:
        self.say(f"{self._what}: {far(self._pace)}")


class Events(_Written):
    """A JSON object a line: ``event`` is begin, progress, item or say."""

    def __init__(self, stream: IO[str], every: float = EVENTS_EVERY) -> None:
        super().__init__(stream, every)

    def item(self, name: str, size: int) -> Moving:
        """See :class:`Report`."""
        started = time.monotonic()
        pace = Pace(size)

        def advance(count: int) -> None:
            pace.done += count
            self.advance(count)

        def done() -> None:
            self._tell("item", name=name, size=size, moved=pace.done, seconds=round(time.monotonic() - started, 3))

        return _Item(advance, done)

    def say(self, line: str) -> None:
        """See :class:`Report`."""
        self._tell("say", line=line)

    def _begun(self) -> None:
        self._tell("begin", work=self._what, total=self._pace.total)

    def _come(self) -> None:
        pace = self._pace
        self._tell(
            "progress",
            work=self._what,
            done=pace.done,
            total=pace.total,
            rate=round(pace.rate),
            left=None if pace.left is None else round(pace.left, 1),
        )

    def _tell(self, event: str, **fields: Any) -> None:  # noqa: ANN401 - whatever JSON can say
        self._print(json.dumps({"event": event, **fields}))


class _Item(Struct, frozen=True):
    advance: Callable[[int], None]
    done: Callable[[], None]


@contextmanager
def report(*, events: bool = False, stream: IO[str] | None = None) -> Iterator[Report]:
    """The report that fits standard error: bars on a terminal, lines elsewhere; ``events`` for who reads JSON."""
    stream = stream or sys.stderr
    if events:
        yield Events(stream)
    elif not stream.isatty():
        yield Lines(stream)
    else:
        from rich.console import Console

        with _bars(Console(file=stream)) as bars:
            yield bars


@contextmanager
def _bars(console: Console) -> Iterator[Report]:
    from .progress_bars import bars

    with bars(console) as made:
        yield made


def far(pace: Pace) -> str:
    """How far the whole has come, in words."""
    percent = f"{100 * pace.done // pace.total}%" if pace.total else "?"
    left = "" if pace.left is None else f", {duration(pace.left)} left"
    return f"{size(pace.done)} of {size(pace.total)} ({percent}), {size(int(pace.rate))}/s{left}"


def duration(seconds: float) -> str:
    """``seconds`` as people say it."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"


def size(count: int) -> str:
    """``count`` bytes in decimal units, as disks and networks are sold."""
    number = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if abs(number) < 1000:
            return f"{count} bytes" if unit == "bytes" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.2f} TB"
