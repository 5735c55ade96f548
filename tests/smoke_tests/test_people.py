"""What groups may do, as a fake API server lists it: the checks see what is too much and what is too little."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from smoke_tests import rights
from smoke_tests.checks import test_people as checks
from smoke_tests.cluster import Cluster
from smoke_tests.environment import Engineers, Environment
from smoke_tests.rights import Right

if TYPE_CHECKING:
    from tests.smoke_tests.conftest import FakeKubectl

ENGINEERS = Engineers(group="ml", namespaces=["models"])
SECRET: Right = ("", "secrets", "get")
READING = frozenset([("", "pods", "list"), ("", "pods/log", "get"), ("apps", "deployments", "watch")])

Lists = Callable[..., None]


@pytest.fixture
def lists(kubectl: FakeKubectl) -> Lists:
    """The API server lists these rights for members of a group, wherever they ask."""

    def lists(group: str, found: frozenset[Right], **status: object) -> None:
        rules = [{"apiGroups": [g], "resources": [r], "verbs": [v]} for g, r, v in found | rights.EVERYBODY]
        line = f"--as=sealift-smoke --as-group={group} --as-group=system:authenticated create --validate=ignore*"
        kubectl.answers({line: {"status": {"resourceRules": rules, **status}}})

    return lists


def test_everybodys_rights_are_nobodys_in_particular(lists: Lists, cluster: Cluster) -> None:
    lists("ml", frozenset())
    assert rights.of(cluster, rights.member("ml"), "models") == frozenset()


def test_a_right_to_objects_of_one_name_is_told_with_the_name(kubectl: FakeKubectl, cluster: Cluster) -> None:
    rule = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": ["a"]}
    kubectl.answers({"--as=*": {"status": {"resourceRules": [rule]}}})
    assert rights.told(rights.of(cluster, rights.member("ml"), "models")) == ["get secrets[a]"]


def test_a_list_that_is_not_complete_proves_nothing(lists: Lists, cluster: Cluster) -> None:
    lists("ml", frozenset(), incomplete=True, evaluationError="webhook")
    with pytest.raises(AssertionError, match="webhook"):
        rights.of(cluster, rights.member("ml"), "models")


def test_engineers_with_exactly_their_rights_pass(
    lists: Lists, environment: Environment, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists("ml", rights.ENGINEER)
    monkeypatch.setattr(checks, "elsewhere", lambda *_: [])  # the fake answers alike for all namespaces
    facts: dict[str, Any] = {}
    checks.test_engineers(environment, cluster, ENGINEERS, facts)
    assert "create inferenceservices.serving.kserve.io" in facts["in models"]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (rights.ENGINEER | {SECRET}, "get secrets"),
        (rights.ENGINEER - {("", "pods/log", "get")}, "get pods/log"),
        (frozenset({("*", "*", "*")}), r"\* \*\.\*"),
    ],
)
def test_engineers_with_more_or_less_fail(
    lists: Lists, environment: Environment, cluster: Cluster, found: frozenset[Right], said: str
) -> None:
    lists("ml", found)
    with pytest.raises(AssertionError, match=said):
        checks.test_engineers(environment, cluster, ENGINEERS, {})


def test_engineers_with_rights_elsewhere_fail(lists: Lists, environment: Environment, cluster: Cluster) -> None:
    lists("ml", rights.ENGINEER)
    with pytest.raises(AssertionError, match="kube-system"):
        checks.test_engineers(environment, cluster, ENGINEERS, {})


def test_auditors_who_read_pass(lists: Lists, environment: Environment, cluster: Cluster) -> None:
    lists("audit", READING)
    facts: dict[str, Any] = {}
    checks.test_auditors(environment, cluster, "audit", facts)
    assert facts


@pytest.mark.parametrize("more", [SECRET, ("apps", "deployments", "patch")])
def test_auditors_who_may_more_fail(lists: Lists, environment: Environment, cluster: Cluster, more: Right) -> None:
    lists("audit", READING | {more})
    with pytest.raises(AssertionError, match=more[1]):
        checks.test_auditors(environment, cluster, "audit", {})


def test_auditors_who_see_nothing_fail(lists: Lists, environment: Environment, cluster: Cluster) -> None:
    lists("audit", frozenset())
    with pytest.raises(AssertionError, match="cannot see the pods"):
        checks.test_auditors(environment, cluster, "audit", {})


def test_operators_with_exactly_their_changes_pass(lists: Lists, environment: Environment, cluster: Cluster) -> None:
    lists("ops", READING | rights.OPERATOR_CHANGES)
    facts: dict[str, Any] = {}
    checks.test_operators(environment, cluster, "ops", facts)
    assert facts


@pytest.mark.parametrize("more", [SECRET, ("apps", "deployments", "patch"), ("", "pods/exec", "create")])
def test_operators_who_may_more_fail(lists: Lists, environment: Environment, cluster: Cluster, more: Right) -> None:
    lists("ops", READING | rights.OPERATOR_CHANGES | {more})
    with pytest.raises(AssertionError, match=more[1]):
        checks.test_operators(environment, cluster, "ops", {})


def test_a_glass_that_is_broken_without_a_word_fails(lists: Lists, environment: Environment, cluster: Cluster) -> None:
    lists(checks.BREAK_GLASS, frozenset())
    checks.test_glass(environment, cluster, {})
    lists(checks.BREAK_GLASS, frozenset({SECRET}))
    with pytest.raises(AssertionError, match="get secrets"):
        checks.test_glass(environment, cluster, {})


def test_a_model_that_only_gets_through_elsewhere_fails(
    kubectl: FakeKubectl, environment: Environment, cluster: Cluster
) -> None:
    member = "--as=sealift-smoke --as-group=ml --as-group=system:authenticated create --dry-run=server*"
    served = {"apiVersion": "v1", "kind": "InferenceService", "metadata": {"annotations": {}}, "spec": {}}
    kubectl.answers({"get inferenceservice chat -n models": served, member: "accepted"})
    with pytest.raises(AssertionError, match="in istio-cni: None"):
        checks.test_engineers_work(environment, cluster, ENGINEERS, {})
    kubectl.answers({member: {"error": "denied by a policy"}})
    with pytest.raises(AssertionError, match="denied by a policy"):
        checks.test_engineers_work(environment, cluster, ENGINEERS, {})
