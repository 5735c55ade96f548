"""Progress of long work: a bar with bytes, rate and time left on a terminal, quiet lines elsewhere."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)


class Report(Protocol):
    """Is told how far work has come. Called from several threads."""

    def begin(self, what: str, total: int) -> None:
        """Work on ``total`` bytes begins, and any work before it is done."""
        ...

    def advance(self, count: int) -> None:
        """``count`` more bytes are done."""
        ...

    def say(self, line: str) -> None:
        """One thing is done or must be known."""
        ...


class Silent:
    """Reports nothing: tests, and machines that read JSON."""

    def begin(self, what: str, total: int) -> None:
        """See :class:`Report`."""

    def advance(self, count: int) -> None:
        """See :class:`Report`."""

    def say(self, line: str) -> None:
        """See :class:`Report`."""


class Lines:
    """One line for each thing begun or done, on standard error."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lock = threading.Lock()

    def begin(self, what: str, total: int) -> None:
        """See :class:`Report`."""
        self.say(f"{what}: {decimal(total)}")

    def advance(self, count: int) -> None:
        """See :class:`Report`."""

    def say(self, line: str) -> None:
        """See :class:`Report`."""
        with self._lock:
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)


class Bar(Lines):
    """A bar with bytes, rate and time left."""

    def __init__(self, console: Console, progress: Progress) -> None:
        super().__init__(console)
        self._progress = progress

    def begin(self, what: str, total: int) -> None:
        """See :class:`Report`."""
        for task in self._progress.task_ids:
            self._progress.remove_task(task)
        self._progress.add_task(what, total=total)

    def advance(self, count: int) -> None:
        """See :class:`Report`."""
        for task in self._progress.task_ids:
            self._progress.advance(task, count)


@contextmanager
def report(*, quiet: bool = False) -> Iterator[Report]:
    """The report that fits standard error: a bar on a terminal, lines elsewhere, nothing when ``quiet``."""
    console = Console(file=sys.stderr, stderr=True)
    if quiet:
        yield Silent()
    elif not console.is_terminal:
        yield Lines(console)
    else:
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), DownloadColumn())
        with Progress(*columns, TransferSpeedColumn(), TimeRemainingColumn(), console=console) as progress:
            yield Bar(console, progress)
