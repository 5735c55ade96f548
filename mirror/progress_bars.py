"""Progress on a terminal: a bar for the whole, and one for each large item while it moves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from .progress import LARGE, Moving, Report, Silent

WIDEST = 48
"""Characters of an item's name."""


class Bars:
    """Bars with bytes, rate and time left."""

    def __init__(self, console: Console, progress: Progress) -> None:
        self._console = console
        self._progress = progress
        self._whole: TaskID | None = None

    def begin(self, what: str, total: int) -> None:
        """See :class:`Report`."""
        for task in self._progress.task_ids:
            self._progress.remove_task(task)
        self._whole = self._progress.add_task(what, total=total)

    def advance(self, count: int) -> None:
        """See :class:`Report`."""
        if self._whole is not None:
            self._progress.advance(self._whole, count)

    def item(self, name: str, size: int) -> Moving:
        """See :class:`Report`."""
        if size < LARGE:
            return _Small(self)
        return _Large(self, self._progress, f"  {name[-WIDEST:]}", size)

    def say(self, line: str) -> None:
        """See :class:`Report`."""
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


class _Small(Silent):
    def __init__(self, bars: Bars) -> None:
        self._bars = bars

    def advance(self, count: int) -> None:
        self._bars.advance(count)


class _Large:
    def __init__(self, bars: Bars, progress: Progress, name: str, size: int) -> None:
        self._bars = bars
        self._progress = progress
        self._task = progress.add_task(name, total=size)

    def advance(self, count: int) -> None:
        self._progress.advance(self._task, count)
        self._bars.advance(count)

    def done(self) -> None:
        self._progress.remove_task(self._task)


@contextmanager
def bars(console: Console) -> Iterator[Report]:
    """A report on ``console``, until the context ends."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), DownloadColumn())
    with Progress(*columns, TransferSpeedColumn(), TimeRemainingColumn(), console=console) as progress:
        yield Bars(console, progress)
