"""What each group of people may do: listed by the API server for a member of the group, and compared as a whole."""

from __future__ import annotations

import json

import pytest

from smoke_tests import rights
from smoke_tests.cluster import Cluster, Document
from smoke_tests.environment import Engineers, Environment
from smoke_tests.evidence import Fact, Group
from smoke_tests.plugin import ENVIRONMENT, not_asked

GROUP = Group.PEOPLE
BREAK_GLASS = "sealift:break-glass"
NOBODY = "sealift-smoke:nobody"
_NAME = "sealift-smoke-people"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One check for each group that the stack names."""
    outputs = metafunc.config.stash[ENVIRONMENT].outputs
    none = pytest.mark.skip("the stack names no such group")
    nobody_works = pytest.param(Engineers(group="no group", namespaces=[]), marks=none)
    if "engineers" in metafunc.fixturenames:
        metafunc.parametrize("engineers", outputs.engineers or [nobody_works], ids=lambda e: e.group)
    for name, groups in (("auditor", outputs.auditors), ("operator", outputs.operators)):
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, groups or [pytest.param("no group", marks=none)], ids=str)


def elsewhere(environment: Environment, own: list[str]) -> list[str]:
    return [n for n in [*environment.outputs.all_namespaces, "kube-system", "default"] if n not in own]


@pytest.fixture(scope="module", autouse=True)
def nobody(environment: Environment, cluster: Cluster) -> None:
    """The control: somebody of no group that the stack names has no right at all, or every comparison is void."""
    for namespace in environment.outputs.all_namespaces:
        found = rights.of(cluster, rights.member(NOBODY), namespace)
        assert not found, f"in {namespace} whoever is logged in may {', '.join(rights.told(found))}"


def test_engineers(environment: Environment, cluster: Cluster, engineers: Engineers, facts: dict[str, Fact]) -> None:
    """A member of {engineers.group} may make models in their namespaces, see what becomes of them, and that is all."""
    member = rights.member(engineers.group)
    for namespace in engineers.namespaces:
        found = rights.of(cluster, member, namespace)
        facts[f"in {namespace}"] = rights.told(found)
        more, less = rights.told(found - rights.ENGINEER), rights.told(rights.ENGINEER - found)
        assert not more and not less, f"in {namespace} they may also {more or 'nothing'}; they may not {less or '-'}"
    found_elsewhere = {n: rights.of(cluster, member, n) for n in elsewhere(environment, engineers.namespaces)}
    facts["without a right in"] = [n for n, found in found_elsewhere.items() if not found]
    wrong = [f"{n}: {', '.join(rights.told(found))}" for n, found in found_elsewhere.items() if found]
    assert not wrong, f"they also may, in {'; '.join(wrong)}"


def test_engineers_work(
    environment: Environment, cluster: Cluster, engineers: Engineers, facts: dict[str, Fact]
) -> None:
    """A member of {engineers.group} gets a model through all admission where their models are, and nowhere else."""
    own = [m for m in environment.outputs.models if m.namespace in engineers.namespaces]
    if not own:
        not_asked("no model of the stack is in their namespaces")
    model = like(cluster.get("inferenceservice", own[0].name, "-n", own[0].namespace), own[0].namespace)
    create = ("create", "--dry-run=server", "-o", "name", "-f", "-")
    refusal = cluster.ask(*create, identity=rights.member(engineers.group), stdin=json.dumps(model))
    assert refusal is None, f"refused: {refusal}"
    facts["accepted"] = f"a model in {own[0].namespace}"
    other = elsewhere(environment, engineers.namespaces)[0]
    refusal = cluster.ask(*create, identity=rights.member(engineers.group), stdin=json.dumps(like(model, other)))
    assert refusal and "cannot create resource" in refusal.message, f"in {other}: {refusal}"
    facts["refusal"] = refusal.message[-200:]


def test_auditors(environment: Environment, cluster: Cluster, auditor: str, facts: dict[str, Fact]) -> None:
    """A member of {auditor} reads the platform, its policies and its logs, no Secret, and changes nothing."""
    for namespace in environment.outputs.all_namespaces:
        found = rights.of(cluster, rights.member(auditor), namespace)
        facts[f"rights in {namespace}"] = len(found)
        assert {("", "pods", "list"), ("", "pods/log", "get")} <= found, f"in {namespace} they cannot see the pods"
        assert not rights.changes(found), f"in {namespace} they may {', '.join(rights.told(rights.changes(found)))}"
        secret = [r for r in rights.told(found) if "secrets" in r]
        assert not secret, f"in {namespace} they may {', '.join(secret)}"


def test_operators(environment: Environment, cluster: Cluster, operator: str, facts: dict[str, Fact]) -> None:
    """A member of {operator} ends pods, scales, and changes models: no Secret, no policy, nothing else that runs."""
    for namespace in environment.outputs.all_namespaces:
        found = rights.of(cluster, rights.member(operator), namespace)
        changing = rights.changes(found)
        facts[f"changes in {namespace}"] = rights.told(changing)
        more, less = rights.told(changing - rights.OPERATOR_CHANGES), rights.told(rights.OPERATOR_CHANGES - changing)
        assert not more and not less, f"in {namespace} they may also {more or 'nothing'}; they may not {less or '-'}"
        secret = [r for r in rights.told(found) if "secrets" in r]
        assert not secret, f"in {namespace} they may {', '.join(secret)}"


def test_glass(environment: Environment, cluster: Cluster, facts: dict[str, Fact]) -> None:
    """The group for emergencies has no right at all, as long as the stack does not say that there is one."""
    if environment.outputs.break_glass:
        not_asked("the stack says breakGlass: the group has its rights at the moment")
    for namespace in [*environment.outputs.all_namespaces, "kube-system"]:
        found = rights.of(cluster, rights.member(BREAK_GLASS), namespace)
        assert not found, f"in {namespace} it may {', '.join(rights.told(found))}"
    facts["group"] = BREAK_GLASS


def like(model: Document, namespace: str) -> Document:
    """A model that is like ``model``, in ``namespace`` and not there yet."""
    given = model["metadata"].get("annotations", {})
    annotations = {k: v for k, v in given.items() if k == "serving.kserve.io/deploymentMode"}
    metadata = {"name": _NAME, "namespace": namespace, "annotations": annotations}
    return {k: model[k] for k in ("apiVersion", "kind", "spec")} | {"metadata": metadata}
