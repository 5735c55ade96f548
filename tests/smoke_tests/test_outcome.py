from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from mirror.errors import ChecksFailed
from smoke_tests import outcome
from smoke_tests.evidence import CheckResult, Group, Result, conclude
from tests.smoke_tests.test_evidence import ENVIRONMENT


def failed(sentence: str, reason: str = "HTTP 500") -> CheckResult:
    return CheckResult(group=Group.API, sentence=sentence, result=Result.FAILED, reason=reason, seconds=1)


def verdict(*checks: CheckResult) -> str:
    with pytest.raises(ChecksFailed) as raised:
        outcome.conclude(Console(), conclude(ENVIRONMENT, list(checks), [], seconds=75), Path("evidence"))
    return raised.value.why


def test_a_bad_verdict_names_what_failed_and_what_it_met() -> None:
    assert verdict(failed("A model answers."), failed("It streams.", "one event only")).splitlines() == [
        "0 passed, 2 failed, 0 not asked in 1 min 15 s",
        "    A model answers. HTTP 500",
        "    It streams. one event only",
    ]


def test_a_long_reason_is_cut_and_many_failures_are_counted() -> None:
    lines = verdict(*(failed(f"Number {n}.", "word " * 100) for n in range(10))).splitlines()
    assert len(lines) == 10
    assert all(len(line) < 200 for line in lines)
    assert lines[-1].strip() == "and 2 more"
