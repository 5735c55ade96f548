from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from testbed.pulumi.provider import waiting
from testbed.pulumi.provider.api import ApiError
from testbed.pulumi.provider.kinds import Kind, Kinds, NoMatch
from testbed.pulumi.provider.readiness import NeverReady
from testbed.pulumi.provider.waiting import NotReady, Wait, look_once, until_gone, until_ready, with_retries

Object = dict[str, Any]

LIVE: Object = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "uid": "1"}}
SILENT = ApiError(500, b'{"message": "failed calling webhook \\"w\\": dial tcp: connect: connection refused"}')


class Changing:
    """A reader whose object counts how often it was read."""

    reads = 0

    def get(self, version: str, kind: str, namespace: str | None, name: str) -> Object:
        self.reads += 1
        return {**LIVE, "reads": self.reads}

    def items(self, version: str, kind: str, namespace: str | None, **query: str) -> list[Object]:
        return []

    def request(self, method: str, path: str) -> object:
        return {}


def patience(seconds: float = 5, said: list[str] | None = None) -> Wait:
    said = [] if said is None else said
    return Wait(seconds, threading.Event(), report=said.append, warn=said.append)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(waiting, "ABSENCE_PAUSES", (0.001,) * 3)
    monkeypatch.setattr(waiting, "SILENCE_PAUSES", (0.001,) * 2)


def test_an_object_is_looked_at_until_it_is_ready_and_each_reason_is_said_once() -> None:
    said: list[str] = []
    ready = until_ready(LIVE, lambda obj, _: None if obj.get("reads") == 4 else "soon", Changing(), patience(5, said))
    assert ready["reads"] == 4
    assert said == ["soon"]


def test_a_wait_that_runs_out_tells_why_and_hands_back_the_object() -> None:
    with pytest.raises(NotReady, match=r"timed out after 0\.02 s: never") as failed:
        until_ready(LIVE, lambda *_: "never", Changing(), patience(0.02))
    assert failed.value.live["reads"] > 0


def test_a_cancelled_wait_ends_at_its_next_look() -> None:
    wait = patience(60)
    wait.cancelled.set()
    started = time.monotonic()
    with pytest.raises(NotReady, match="cancelled"):
        until_ready(LIVE, lambda *_: "never", Changing(), wait)
    assert time.monotonic() - started < 30


def test_what_never_will_be_ready_is_not_waited_for() -> None:
    def rule(obj: Object, api: object) -> str | None:
        raise NeverReady("failed")

    with pytest.raises(NotReady, match="failed"):
        until_ready(LIVE, rule, Changing(), patience(60))
    with pytest.raises(NotReady, match="failed"):
        look_once(LIVE, rule, Changing())


def test_a_deletion_is_over_when_another_object_has_the_name() -> None:
    until_gone(lambda: {"metadata": {"uid": "2"}}, "1", patience())
    with pytest.raises(TimeoutError, match="held"):
        until_gone(lambda: {"metadata": {"uid": "1", "finalizers": ["held"]}}, "1", patience(0.01))


@pytest.mark.parametrize("error", [NoMatch("a/v1", "B"), ApiError(404, b"{}"), SILENT])
def test_a_passing_failure_is_tried_again_and_said(error: Exception) -> None:
    said: list[str] = []
    answers: list[Exception | Object] = [error, LIVE]

    def send() -> Object:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert with_retries(send, patience(5, said)) == LIVE
    assert len(said) == 1


@pytest.mark.parametrize(("error", "tries"), [(NoMatch("a/v1", "B"), 4), (SILENT, 3), (ApiError(422, b"{}"), 1)])
def test_a_failure_that_stays_is_given_up_after_a_bound(error: Exception, tries: int) -> None:
    count = 0

    def send() -> Object:
        nonlocal count
        count += 1
        raise error

    with pytest.raises(type(error)):
        with_retries(send, patience())
    assert count == tries


def test_a_definitions_kinds_are_known_before_they_are_served() -> None:
    kinds = Kinds(lambda version: [])
    with pytest.raises(NoMatch):
        kinds.find("g/v1", "Thing")
    names = {"plural": "things", "kind": "Thing"}
    kinds.learn({"spec": {"group": "g", "names": names, "scope": "Namespaced", "versions": [{"name": "v1"}]}})
    assert kinds.find("g/v1", "Thing") == Kind("things", True)


def test_a_group_is_asked_once_for_all_its_kinds() -> None:
    asked: list[str] = []

    def resources(version: str) -> list[Object]:
        asked.append(version)
        return [
            {"name": "pods", "kind": "Pod", "namespaced": True},
            {"name": "pods/status", "kind": "Pod", "namespaced": True},
            {"name": "nodes", "kind": "Node", "namespaced": False},
        ]

    kinds = Kinds(resources)
    assert kinds.find("v1", "Pod") == Kind("pods", True)
    assert kinds.find("v1", "Node") == Kind("nodes", False)
    assert asked == ["v1"]
