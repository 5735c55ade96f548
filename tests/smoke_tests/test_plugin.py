from __future__ import annotations

from typing import cast

import pytest

from smoke_tests.cluster import Cluster
from smoke_tests.environment import Environment
from smoke_tests.evidence import CheckResult, Group, Result
from smoke_tests.plugin import EvidencePlugin

pytest_plugins = ["pytester"]

CHECKS = '''
import pytest
from mirror.errors import NotInReceipt
from smoke_tests.evidence import Group
from smoke_tests.plugin import FACTS, not_asked

GROUP = Group.{group}

@pytest.fixture
def facts(request):
    return request.node.stash.setdefault(FACTS, {{}})

@pytest.fixture
def broken():
    raise NotInReceipt("image x", "it never arrived", "Load it.")

@pytest.mark.parametrize("name", ["chat", "batch"])
def test_good(name, facts):
    """{{name}} holds,
    as one sentence.

    Not this."""
    facts["milliseconds"] = 3

def test_bad(facts):
    """It does not hold."""
    facts["seen"] = "something"
    assert 1 == 2, "one is not two"

def test_premise():
    """Its premise is not given."""
    not_asked("nobody asked")

def test_setup(broken):
    """Its preparation breaks."""

def test_cause():
    """It has a cause."""
    try:
        raise ValueError("certificate refused")
    except ValueError as e:
        raise OSError("Connection error.") from e
'''


def run(pytester: pytest.Pytester, only: frozenset[Group] = frozenset(), **files: str) -> list[CheckResult]:
    pytester.makepyfile(**files)
    plugin = EvidencePlugin(cast(Environment, None), cast(Cluster, None), only=only)
    pytester.inline_run("-p", "no:cacheprovider", plugins=[plugin])
    return plugin.checks


@pytest.fixture
def found(pytester: pytest.Pytester) -> dict[str, CheckResult]:
    return {c.sentence: c for c in run(pytester, test_api=CHECKS.format(group="API"))}


def test_the_first_paragraph_of_a_docstring_is_the_sentence(found: dict[str, CheckResult]) -> None:
    assert "chat holds, as one sentence." in found
    assert "batch holds, as one sentence." in found


def test_a_passing_check_keeps_its_facts(found: dict[str, CheckResult]) -> None:
    good = found["chat holds, as one sentence."]
    assert (good.result, good.reason, good.facts) == (Result.PASSED, "", {"milliseconds": 3})


def test_a_failing_check_says_the_message_of_its_assertion_and_keeps_its_facts(found: dict[str, CheckResult]) -> None:
    bad = found["It does not hold."]
    assert (bad.result, bad.reason, bad.facts) == (Result.FAILED, "one is not two", {"seen": "something"})


def test_a_check_without_its_premise_is_not_asked(found: dict[str, CheckResult]) -> None:
    premise = found["Its premise is not given."]
    assert (premise.result, premise.reason) == (Result.NOT_ASKED, "nobody asked")


def test_a_check_whose_preparation_breaks_has_failed(found: dict[str, CheckResult]) -> None:
    setup = found["Its preparation breaks."]
    assert (setup.result, setup.reason) == (Result.FAILED, "image x: it never arrived. Load it.")


def test_an_error_is_told_with_what_caused_it(found: dict[str, CheckResult]) -> None:
    assert found["It has a cause."].reason == "OSError: Connection error. <- ValueError: certificate refused"


def test_groups_run_in_their_order_and_those_left_out_are_not_asked(pytester: pytest.Pytester) -> None:
    files = {"test_a": CHECKS.format(group="EGRESS"), "test_b": CHECKS.format(group="API")}
    everything = run(pytester, **files)
    assert [c.group for c in everything] == sorted((c.group for c in everything), key=list(Group).index)
    some = run(pytester, only=frozenset({Group.EGRESS}), **files)
    left_out = [c for c in some if c.group is Group.API]
    assert len(some) == len(everything)
    assert {(c.result, c.reason) for c in left_out} == {(Result.NOT_ASKED, "only egress was asked for")}


def test_checks_that_cannot_be_read_have_failed(pytester: pytest.Pytester) -> None:
    (broken,) = run(pytester, test_broken="import nothing_of_that_name")
    assert broken.result is Result.FAILED
    assert "nothing_of_that_name" in broken.reason
