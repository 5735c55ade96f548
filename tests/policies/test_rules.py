"""Each rule as the policy pack judges it, with what breaks it and what does not; and what holds of all of them."""

from __future__ import annotations

import json

import pytest

from policies.admission import admission_documents, policy, policy_name
from policies.examples import names, shown
from policies.judge import Judge
from policies.rule import Document, Example, Rule, rules
from policies.scope import NODE, PLATFORM, SYSTEM, Scope
from policies.settings import Settings
from policies.table import PAGE, written
from tests.policies.site import NAMES, RECEIPT

JUDGE = Judge(rules(), RECEIPT, Scope(), Settings())


def broken(document: Document, groups: list[str], judge: Judge = JUDGE) -> dict[str, list[str]]:
    """The rules that ``document`` breaks, with what they say."""
    found = {r.name: list(judge.violations(r, document, groups)) for r in judge.rules}
    return {name: violations for name, violations in found.items() if violations}


def named(name: str) -> Rule:
    [found] = [r for r in rules() if r.name == name]
    return found


CONFORM = [pytest.param(e, id=f"{r.name}: {e.of} {e.why or i}") for r in rules() for i, e in enumerate(r.conforms)]
BREAK = [pytest.param(r, e, id=f"{r.name}: {e.of} {e.why or i}") for r in rules() for i, e in enumerate(r.breaks)]


@pytest.mark.parametrize("name", [n for n in names() if n not in ("exec", "attach", "port-forward")])
def test_an_example_without_changes_breaks_no_rule(name: str) -> None:
    assert broken(shown(Example(of=name), NAMES), []) == {}


@pytest.mark.parametrize("example", CONFORM)
def test_what_conforms_breaks_no_rule(example: Example) -> None:
    assert broken(shown(example, NAMES), example.groups) == {}


@pytest.mark.parametrize(("rule", "example"), BREAK)
def test_what_breaks_a_rule_breaks_that_one_alone(rule: Rule, example: Example) -> None:
    found = broken(shown(example, NAMES), example.groups)
    assert set(found) == {rule.name, *example.alsoBreaks}
    assert not [v for violations in found.values() for v in violations if "cannot be judged" in v]


@pytest.mark.parametrize("rule", rules(), ids=lambda r: r.name)
def test_every_finding_of_a_rule_is_shown(rule: Rule) -> None:
    said = [v for e in rule.breaks for v in JUDGE.violations(rule, shown(e, NAMES), e.groups)]
    assert [f.says for f in rule.findings if not any(v.startswith(f.says) for v in said)] == []


@pytest.mark.parametrize("rule", rules(), ids=lambda r: r.name)
def test_a_rule_looks_at_a_kind_that_both_forms_can_be_shown(rule: Rule) -> None:
    assert rule.conforms
    assert rule.judges(*_group_and_kind(shown(rule.conforms[0], NAMES)))


def _group_and_kind(document: Document) -> tuple[str, str]:
    return document["apiVersion"].rpartition("/")[0], document["kind"]


def test_more_pod_templates_than_are_looked_into_are_refused() -> None:
    predictor = shown(Example(of="custom-predictor"), NAMES)["spec"]["predictor"]
    canaries = [{"predictor": {**predictor, "minReplicas": i}, "trafficPercent": 10} for i in range(9)]
    many = shown(Example(of="custom-predictor", change={"/spec/canary": canaries}), NAMES)
    assert "more pod templates" in broken(many, [])["privileged"][0]


def test_what_an_expression_cannot_be_evaluated_for_is_refused() -> None:
    odd = shown(Example(of="pod", change={"/spec/containers": "many"}), NAMES)
    assert "cannot be judged" in broken(odd, [])["privileged"][0]


def test_a_digest_may_have_several_names() -> None:
    [digest, name] = next(iter(RECEIPT.items()))
    judge = Judge(rules(), {**RECEIPT, digest: f"registry.site:5000/other {name}"}, Scope(), Settings())
    assert broken(shown(Example(of="pod"), NAMES), [], judge) == {}


def test_a_stack_may_name_other_sources_of_weights_and_exits() -> None:
    settings = Settings(unverified_model_sources=["pvc://weights/"], egress_hosts=["hub.site"])
    judge = Judge(rules(), RECEIPT, Scope(), settings)
    change = {"/spec/predictor/model/storageUri": "pvc://weights/chat"}
    assert broken(shown(Example(of="inference-service", change=change), NAMES), [], judge) == {}
    change = {"/spec/predictor/model/storageUri": "pvc://other/chat"}
    assert set(broken(shown(Example(of="inference-service", change=change), NAMES), [], judge)) == {"models"}
    exit_ = {"/metadata/namespace": NAMES.tenant, "/spec/hosts": ["hub.site"], "/spec/exportTo": ["."]}
    assert broken(shown(Example(of="service-entry", change=exit_), NAMES), [], judge) == {}
    wide = {**exit_, "/spec/exportTo": ["*"]}
    assert set(broken(shown(Example(of="service-entry", change=wide), NAMES), [], judge)) == {"mesh-exits"}


@pytest.mark.parametrize(
    ("where", "namespace", "holds"),
    [
        ("guarded", "models", True),
        ("guarded", NODE, True),
        ("guarded", "kube-system", False),
        ("off-node", NODE, False),
        ("off-node", "istio-system", True),
        ("tenants", "default", True),
        ("tenants", "istio-system", False),
        ("platform", "istio-system", True),
        ("platform", "models", False),
        ("models", "models", True),
        ("models", "default", False),
        ("guarded", "gpu-operator", False),
    ],
)
def test_a_scope_is_the_same_question_as_its_selector(where: str, namespace: str, holds: bool) -> None:
    scope = Scope(models=["models"], unguarded=["gpu-operator"])
    assert scope.holds(where, namespace) is holds  # type: ignore[arg-type]
    [expression] = scope.selector(where)["matchExpressions"]  # type: ignore[arg-type]
    assert (namespace in expression["values"]) is (holds == (expression["operator"] == "In"))


def test_no_rule_binds_the_clusters_own_namespaces() -> None:
    bindings = [d for d in admission_documents(rules(), Scope(), Settings()) if "policyName" in d["spec"]]
    assert len(bindings) == len(rules())
    for d in bindings:
        [expression] = d["spec"]["matchResources"]["namespaceSelector"]["matchExpressions"]
        assert expression["operator"] == "In" or set(SYSTEM) <= set(expression["values"])
        assert d["spec"]["validationActions"] == ["Deny"]


@pytest.mark.parametrize("rule", rules(), ids=lambda r: r.name)
def test_a_policy_refuses_when_in_doubt(rule: Rule) -> None:
    spec = policy(rule, Settings())["spec"]
    assert spec["failurePolicy"] == "Fail"
    assert ("paramKind" in spec) is rule.receipt
    assert rule.receipt is ("params." in json.dumps(spec))


def test_both_forms_evaluate_the_same_text() -> None:
    for rule in rules():
        texts = {v["expression"] for v in policy(rule, Settings())["spec"]["variables"]}
        assert {f.expression for f in rule.all_findings} <= texts
        assert {text for _, text in rule.used_variables()} <= texts


def test_every_rule_names_its_clauses() -> None:
    assert [r.name for r in rules() if not r.clauses.nsa] == []


def test_the_page_shows_the_rules_as_they_are() -> None:
    page = PAGE.read_text()
    assert page == written(page, rules()), "run: python -m policies.table"
    assert all(f"`{policy_name(r).removeprefix('sealift-')}`" in page for r in rules())


def test_the_platforms_namespaces_are_the_components_own() -> None:
    from components.namespaces import PLATFORM as MADE
    from components.namespaces import PRIVILEGED

    assert sorted(MADE) == sorted(PLATFORM)
    assert PRIVILEGED == NODE
