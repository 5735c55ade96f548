from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from mirror.errors import BadInput
from smoke_tests import changes, session, streaming
from smoke_tests.cluster import Cluster
from smoke_tests.environment import Environment
from smoke_tests.evidence import CheckResult, Evidence, Group, Result

if TYPE_CHECKING:
    from tests.smoke_tests.conftest import Behaviour

pytestmark = pytest.mark.slow  # whole runs of the checks

API = frozenset({Group.API})


@pytest.fixture(autouse=True)
def short_minute(monkeypatch: pytest.MonkeyPatch, behaviour: Behaviour) -> None:
    monkeypatch.setattr(streaming, "A_MINUTE", 0.5)
    monkeypatch.setattr(streaming, "MARGIN", 0.2)
    monkeypatch.setattr(changes, "LEAST", 0)  # The policies of a fake cluster change nothing.
    behaviour.max_model_len = 2000


@pytest.fixture
def run(environment: Environment, cluster: Cluster) -> Callable[[], Evidence]:
    return lambda: session.run(environment, cluster, only=API)


def failed(evidence: Evidence) -> list[str]:
    return [c.sentence for c in evidence.checks if c.result is Result.FAILED]


def test_a_good_api_passes_and_is_described(run: Callable[[], Evidence]) -> None:
    evidence = run()
    assert failed(evidence) == []
    assert evidence.verdict == "passed"
    assert evidence.totals.passed == 9
    assert (evidence.environment.cluster, evidence.environment.kubernetes) == ("the-uid", "v1.34.4")
    stream = next(c for c in evidence.checks if "streams" in c.sentence)
    assert stream.facts["chunks"] == 128


@pytest.mark.parametrize(
    ("broken", "sentences"),
    [
        ({"hold_back": True}, ["chat streams: tokens arrive one after the other, not all at the end."]),
        (
            {"cut_after_seconds": 0.4},
            ["A stream from chat (Standard mode) outlasts a minute and changes of policies."],
        ),
        (
            {"unknown_model_status": 400},
            ["Asked for a model that it does not serve, chat says 404 in the API's own error shape."],
        ),
    ],
    ids=["held back", "cut", "no 404"],
)
def test_each_fault_fails_its_own_check(
    broken: dict[str, object], sentences: list[str], behaviour: Behaviour, run: Callable[[], Evidence]
) -> None:
    for name, value in broken.items():
        setattr(behaviour, name, value)
    assert failed(run()) == sentences


def test_a_model_that_serves_another_name_fails_where_its_name_matters(
    behaviour: Behaviour, run: Callable[[], Evidence]
) -> None:
    behaviour.served = "other"
    evidence = run()
    assert "The models list of chat names chat." in failed(evidence)
    assert "chat answers a chat, and the tokens it counts are the tokens it was asked for." in failed(evidence)
    assert evidence.verdict == "failed"


def test_nothing_passes_when_nothing_answers(environment: Environment, cluster: Cluster) -> None:
    from dataclasses import replace

    evidence = session.run(replace(environment, port=9), cluster, only=API)
    assert evidence.totals.passed == 0
    assert evidence.totals.failed == 9


def test_progress_is_told_check_by_check(environment: Environment, cluster: Cluster) -> None:
    told: list[CheckResult] = []
    evidence = session.run(environment, cluster, only=API, progress=told.append)
    assert told == evidence.checks


def test_an_unknown_group_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(BadInput) as raised:
        session.groups(["mtls", "mutual"])
    assert "scale-to-zero" in raised.value.instead
