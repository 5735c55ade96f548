"""What a rehearsal did and how long each step took: shown while it runs, kept for the evidence."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.status import Status

from mirror.document import Strict


class Step(Strict):
    """One step. ``seconds`` is wall time; ``facts`` are figures that the step found out."""

    name: str
    seconds: float
    result: str
    """done or failed."""
    facts: dict[str, str | int | float] = {}


class Timeline:
    """Runs steps one after another and remembers them.

    On a terminal the running step has one live line; elsewhere each report is a line of its own.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self.steps: list[Step] = []
        self._began = time.monotonic()
        self._status: Status | None = None
        self._name = ""
        self._facts: dict[str, str | int | float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time what happens inside; an exception marks the step as failed and goes on."""
        began, self._name, self._facts = time.monotonic(), name, {}
        result = "failed"
        if self.console.is_terminal:
            self._status = self.console.status(name)
            self._status.start()
        else:
            self.console.print(f"{self._elapsed()}  {name} ...")
        try:
            yield
            result = "done"
        finally:
            if self._status:
                self._status.stop()
                self._status = None
            step = Step(name=name, seconds=round(time.monotonic() - began, 1), result=result, facts=self._facts)
            self.steps.append(step)
            mark = "[green]✓[/]" if result == "done" else "[red]✗[/]"
            facts = ", ".join(f"{k} {v}" for k, v in step.facts.items())
            self.console.print(f"{self._elapsed()} {mark} {name}: {step.seconds:.1f} s{'  ' + facts if facts else ''}")

    def report(self, what: str) -> None:
        """Say what the running step is doing now."""
        if self._status:
            self._status.update(f"{self._name}: {what}")
        else:
            self.console.print(f"{self._elapsed()}    {what}", highlight=False, markup=False)

    def fact(self, name: str, value: str | int | float) -> None:
        """Keep a figure with the running step."""
        self._facts[name] = value

    def peak(self, rss: int) -> None:
        """Keep the largest resident set (bytes) of the running step's commands."""
        self._facts["peak RSS MB"] = max(int(self._facts.get("peak RSS MB", 0)), rss // 1_000_000)

    @property
    def seconds(self) -> float:
        """Seconds since the rehearsal began."""
        return time.monotonic() - self._began

    def _elapsed(self) -> str:
        return f"{self.seconds:7.1f} s"
