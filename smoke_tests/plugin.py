"""A pytest plugin that turns every check into an entry of the evidence and says so while it runs."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Generator
from typing import Any, NoReturn

import pytest

from mirror.errors import SealiftError

from .cluster import Cluster
from .environment import Environment
from .evidence import CheckResult, Fact, Group, Result

ENVIRONMENT = pytest.StashKey[Environment]()
CLUSTER = pytest.StashKey[Cluster]()
ONLY = pytest.StashKey[frozenset[Group]]()
FACTS = pytest.StashKey[dict[str, Fact]]()
_REPORTS = pytest.StashKey[list[tuple[pytest.CallInfo[None], pytest.TestReport]]]()
_MOST_REASON = 1500  # characters


def not_asked(reason: str) -> NoReturn:
    """End the running check without a result: its premise is not given here."""
    pytest.skip(reason)


class EvidencePlugin:
    """Collects a CheckResult for every check. ``only`` limits which groups run; the others count as not asked."""

    def __init__(
        self,
        environment: Environment,
        cluster: Cluster,
        *,
        only: frozenset[Group] = frozenset(),
        progress: Callable[[CheckResult], None] = lambda _: None,
    ) -> None:
        self.checks: list[CheckResult] = []
        self.interrupted = False
        self._environment = environment
        self._cluster = cluster
        self._only = only
        self._progress = progress

    def pytest_configure(self, config: pytest.Config) -> None:
        """Give the checks' fixtures what they test."""
        config.stash[ENVIRONMENT] = self._environment
        config.stash[CLUSTER] = self._cluster
        config.stash[ONLY] = self._only

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Put the groups in order and leave out those that were not asked for."""
        order = list(Group)
        items.sort(key=lambda i: order.index(_group(i)))
        if self._only:
            left_out = [i for i in items if _group(i) not in self._only]
            items[:] = [i for i in items if _group(i) in self._only]
            asked = ", ".join(sorted(self._only))
            for item in left_out:
                reason = f"only {asked} was asked for"
                self._add(
                    CheckResult(
                        group=_group(item), sentence=_sentence(item), result=Result.NOT_ASKED, reason=reason, seconds=0
                    )
                )

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Tell an operator's Ctrl-C from pytest's own early end, which is a subclass of KeyboardInterrupt."""
        self.interrupted = excinfo.type is KeyboardInterrupt

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Checks that cannot even be read have failed."""
        if report.failed:
            reason = str(report.longrepr)[-_MOST_REASON:]
            sentence = f"The checks of {report.nodeid} can be read."
            self._add(CheckResult(group=Group.API, sentence=sentence, result=Result.FAILED, reason=reason, seconds=0))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Remember setup, call and teardown; after teardown the check has its result."""
        report = yield
        phases = item.stash.setdefault(_REPORTS, [])
        phases.append((call, report))
        if report.when == "teardown":
            self._add(_result(item, phases))
        return report

    def _add(self, check: CheckResult) -> None:
        self.checks.append(check)
        self._progress(check)


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the beginning, to the millisecond."""
        return round(time.monotonic() - self._start, 3)


def _result(item: pytest.Item, phases: list[tuple[pytest.CallInfo[None], pytest.TestReport]]) -> CheckResult:
    failed = next((p for p in phases if p[1].failed), None)
    skipped = next((p for p in phases if p[1].skipped), None)
    decisive = failed or skipped
    return CheckResult(
        group=_group(item),
        sentence=_sentence(item),
        result=Result.FAILED if failed else Result.NOT_ASKED if skipped else Result.PASSED,
        reason=_reason(decisive[0]) if decisive else "",
        seconds=round(sum(call.duration for call, _ in phases), 3),
        facts=item.stash.setdefault(FACTS, {}),
    )


def _group(item: pytest.Item) -> Group:
    group: Group = getattr(item, "module").GROUP  # noqa: B009 - Item has it only when it is a function of a module
    return group


def _sentence(item: pytest.Item) -> str:
    """The first paragraph of the check's docstring, with the check's parameters filled in."""
    function: Any = getattr(item, "function")  # noqa: B009
    text = " ".join((inspect.getdoc(function) or item.name).partition("\n\n")[0].split())
    callspec = getattr(item, "callspec", None)
    return text.format(**callspec.params) if callspec else text


def _reason(call: pytest.CallInfo[None]) -> str:
    """What a person needs to read: the message of the error and of those that caused it, without a traceback."""
    assert call.excinfo is not None
    error: BaseException | None = call.excinfo.value
    lines: list[str] = []
    while error is not None:
        lines.append(_message(error))
        error = error.__cause__
    return " <- ".join(lines)[:_MOST_REASON]


def _message(error: BaseException) -> str:
    if isinstance(error, AssertionError | pytest.skip.Exception):
        return str(error).partition("\nassert ")[0]  # the rest is pytest's rewriting of the expression
    if isinstance(error, SealiftError):
        return f"{error.given}: {error.why}. {error.instead}"
    return f"{type(error).__name__}: {error}"
