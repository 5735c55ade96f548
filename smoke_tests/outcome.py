"""What a run of the checks leaves: evidence.json and its page, lines on the terminal, and a verdict."""

from __future__ import annotations

import textwrap
from pathlib import Path

from rich.console import Console

from mirror.atomic import write_atomically
from mirror.errors import ChecksFailed

from . import page
from .evidence import EVIDENCE, PAGE, CheckResult, Evidence, Result

_NAMED = 8  # failed checks that the verdict names
_TOLD = 160  # characters of what each of them met

_STYLE = {Result.PASSED: "green", Result.FAILED: "bold red", Result.NOT_ASKED: "yellow"}


def write(evidence: Evidence, directory: Path) -> None:
    """Write evidence.json and the page of it."""
    evidence.write(directory / EVIDENCE)
    write_atomically(directory / PAGE, page.html(evidence))


def say(console: Console, check: CheckResult) -> None:
    """One line for a check that ended, and why if it did not pass."""
    word = f"{check.result.value:<9}"
    console.print(f"[{_STYLE[check.result]}]{word}[/] {page.duration(check.seconds):>12}  ", end="")
    console.print(check.sentence, markup=False)
    if check.result is Result.FAILED:
        console.print(f"{'':24}{check.reason}", markup=False, style="red")


def conclude(console: Console, evidence: Evidence, directory: Path) -> None:
    """The verdict in one sentence; raises ChecksFailed when it is bad."""
    totals = evidence.totals
    counts = f"{totals.passed} passed, {totals.failed} failed, {totals.not_asked} not asked"
    if evidence.verdict == "failed":
        raise ChecksFailed(
            f"environment {evidence.environment.domain}",
            f"{counts} in {page.duration(evidence.seconds)}{_named(evidence)}",
            f"Read {directory / PAGE}: each failed check says what it met.",
        )
    console.print(f"Passed: {counts} in {page.duration(evidence.seconds)}. Evidence: {directory / PAGE}", markup=False)


def _named(evidence: Evidence) -> str:
    """The checks that failed, a line each, so that the end of a log is enough to know them."""
    failed = [c for c in evidence.checks if c.result is Result.FAILED]
    lines = [f"{c.sentence} {textwrap.shorten(c.reason, _TOLD, placeholder=' ...')}" for c in failed[:_NAMED]]
    if len(failed) > _NAMED:
        lines.append(f"and {len(failed) - _NAMED} more")
    return "".join(f"\n    {line}" for line in lines)
