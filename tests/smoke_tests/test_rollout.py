"""The story of a rollout, told by a model that only seems to be; and what the checks make of a story gone wrong."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import openai
import pytest

from mirror.errors import ToolMissing
from smoke_tests import rollout
from smoke_tests.checks import test_rollout as checks
from smoke_tests.rollout import BLUE, GREEN, Answer, Story
from smoke_tests.slow_start import ColdStart
from smoke_tests.trials import State

NEVER = 10**6


@dataclass
class Seeming:
    """A trial whose revisions are ready ``slow`` questions after they were made."""

    name: str = "seeming"
    slow: int = 2
    share: float = 0.1
    fails_while_broken: bool = False
    drawn: random.Random = field(default_factory=lambda: random.Random(3))
    made: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    asked: int = 0
    unanswered: int = 0
    removed: bool = False

    def make(self, *arguments: str, **predictor: Any) -> None:  # noqa: ANN401
        name = arguments[1].rpartition("=")[2]
        self.made.append((name, predictor))
        self.asked = 0

    def state(self) -> State:
        self.asked += 1
        if self.asked <= self.unanswered:
            raise ToolMissing("kubectl get", "the server is too busy", "Ask again.")
        name, predictor = self.made[-1]
        ready = name != "broken" and self.asked > self.slow
        percent = predictor.get("canaryTrafficPercent", 100)
        return State(ready, name, name if ready else BLUE, {name: percent, BLUE: 100 - percent} if name != BLUE else {})

    def crash(self, revision: str) -> str:
        time.sleep(0.05)  # in which it is asked all the time
        return "Error, exit code 2"

    def account(self) -> str:
        return "its server waits for a processor"

    def client(self) -> AbstractContextManager[Any]:
        return nullcontext(SimpleNamespace(completions=SimpleNamespace(create=self.answer)))

    def answer(self, **_: object) -> object:
        name, predictor = self.made[-1]
        if name == "broken" and self.fails_while_broken:
            raise openai.OpenAIError("503")
        to_green = name == GREEN and self.drawn.random() < self.share * (predictor["canaryTrafficPercent"] > 0)
        return SimpleNamespace(system_fingerprint=GREEN if to_green else BLUE)

    def remove(self) -> None:
        self.removed = True


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"_PAUSE": 0.001, "_SETTLING": 0, "STEP_SECONDS": 5}.items():
        monkeypatch.setattr(rollout, name, value)


def tell(**how: Any) -> Story:  # noqa: ANN401
    seeming: Any = Seeming(**how)
    story = rollout.tell(seeming)
    assert seeming.removed
    return story


def test_a_good_rollout_is_told_as_it_was() -> None:
    story = tell()
    assert story.crash == "Error, exit code 2"
    assert set(story.canary) == {BLUE, GREEN}
    assert story.canary.total() == rollout.REQUESTS
    assert story.after == Counter({BLUE: rollout.AFTER})
    assert not [a for a in story.all if a.error]


def test_requests_that_fail_are_told_too() -> None:
    story = tell(fails_while_broken=True)
    assert {a.error for a in story.while_broken} >= {"OpenAIError: 503"}


def test_a_question_without_an_answer_is_asked_again() -> None:
    assert set(tell(unanswered=2, slow=3).canary) == {BLUE, GREEN}


def test_a_rollout_that_never_gets_anywhere_is_given_up_and_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollout, "STEP_SECONDS", 0)
    seeming: Any = Seeming(slow=NEVER)
    with pytest.raises(ToolMissing, match="the first revision is ready: its server waits for a processor"):
        rollout.tell(seeming)
    assert seeming.removed


GOOD = Story(
    crash="Error, exit code 2",
    while_broken=[Answer(float(i), BLUE) for i in range(20)],
    canary=Counter({BLUE: 270, GREEN: 30}),
    back_seconds=0.5,
    after=Counter({BLUE: 50}),
    all=[Answer(float(i), BLUE) for i in range(60)],
)
Check = Callable[[Story, dict[str, Any]], None]
CHECKS: list[Check] = [checks.test_broken_revision, checks.test_canary, checks.test_rollback, checks.test_nothing_lost]


@pytest.mark.parametrize("check", CHECKS)
def test_a_good_story_passes_and_is_told(check: Check) -> None:
    facts: dict[str, Any] = {}
    check(GOOD, facts)
    assert facts


@pytest.mark.parametrize(
    ("check", "changes", "said"),
    [
        (checks.test_broken_revision, {"while_broken": [Answer(0, BLUE), Answer(1, BLUE)]}, "only 2 requests"),
        (checks.test_broken_revision, {"while_broken": [*GOOD.while_broken, Answer(1, "", "503")]}, "503"),
        (checks.test_broken_revision, {"while_broken": [*GOOD.while_broken, Answer(1, "broken")]}, "broken"),
        (checks.test_canary, {"canary": Counter({BLUE: 300})}, "got 0 of 300"),
        (checks.test_canary, {"canary": Counter({BLUE: 150, GREEN: 150})}, "got 150 of 300"),
        (checks.test_canary, {"canary": Counter({BLUE: 269, GREEN: 30, "503": 1})}, "503"),
        (checks.test_rollback, {"after": Counter({BLUE: 49, GREEN: 1})}, "green"),
        (checks.test_nothing_lost, {"all": [*GOOD.all, Answer(1, "", "503")]}, "1 failed, the first with 503"),
    ],
)
def test_a_story_that_went_wrong_fails(check: Check, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        check(replace(GOOD, **changes), {})


@pytest.mark.parametrize(("seconds", "text"), [(299, "hello"), (340, "")], ids=["too quick", "empty"])
def test_a_start_that_was_not_slow_or_brought_no_answer_proves_nothing(seconds: float, text: str) -> None:
    checks.test_slow_start(ColdStart(340, "hello"), {})
    with pytest.raises(AssertionError):
        checks.test_slow_start(ColdStart(seconds, text), {})
