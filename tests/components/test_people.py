"""Who may do what: the documents of the roles, the bindings, and what a stack may not say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from components import people
from components.model import ModelArgs
from components.people import BREAK_GLASS_GROUP, BreakGlass, Engineers, People
from components.platform import Platform, PlatformArgs
from components.roles import AUDITOR, BREAK_GLASS, ENGINEER, OPERATOR, RULES
from mirror.errors import BadInput
from tests.components.harness import make_site, run

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SITE = People(
    engineers=[Engineers("ml", ("models", "lab")), Engineers("guests", ("lab",))],
    auditors=["audit"],
    operators=["ops"],
)
RUNS_CODE = {"pods/exec", "pods/attach", "pods/portforward", "pods/ephemeralcontainers", "pods/proxy", "services/proxy"}
HOLDS_BACK = {"networkpolicies", "authorizationpolicies", "peerauthentications", "requestauthentications"}


def granted(role: str) -> set[tuple[str, str]]:
    """Resource and verb, of every rule."""
    return {(resource, verb) for r in RULES[role] for resource in r["resources"] for verb in r["verbs"]}


def bindings(given: People) -> dict[str, dict[str, Any]]:
    return {
        "/".join(p for p in (d["metadata"].get("namespace"), d["metadata"]["name"]) if p): d
        for d in people.documents(given)
        if d["kind"].endswith("Binding")
    }


@pytest.mark.parametrize("role", RULES)
def test_no_role_has_a_wildcard_or_a_way_to_more_rights(role: str) -> None:
    for rule in RULES[role]:
        words = [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
        assert not [w for w in words if "*" in w]
        assert not {"escalate", "bind", "impersonate", "approve", "sign"} & set(rule["verbs"])
        assert "nodes/proxy" not in rule["resources"]
        assert "serviceaccounts/token" not in rule["resources"]


@pytest.mark.parametrize("role", RULES)
def test_nobody_may_change_who_may_do_what(role: str) -> None:
    changed = {r for r, verb in granted(role) if verb not in ("get", "list", "watch")}
    assert not changed & {"roles", "rolebindings", "clusterroles", "clusterrolebindings", "serviceaccounts"}
    assert not {c for c in changed if "webhookconfigurations" in c or "admissionpolic" in c}


def test_an_engineer_may_make_models_read_what_becomes_of_them_and_nothing_else() -> None:
    changing = {r for r, verb in granted(ENGINEER) if verb not in ("get", "list", "watch")}
    assert changing == {"inferenceservices"}
    assert {r for r, _ in granted(ENGINEER)} == {"inferenceservices", "revisions", "pods", "pods/log", "events"}


@pytest.mark.parametrize("role", [ENGINEER, AUDITOR, OPERATOR])
def test_only_broken_glass_opens_secrets_and_containers(role: str) -> None:
    resources = {r for r, _ in granted(role)}
    assert not resources & ({"secrets"} | RUNS_CODE)
    assert not {r for r, verb in granted(role) if r in HOLDS_BACK and verb not in ("get", "list", "watch")}


def test_an_auditor_only_reads() -> None:
    assert {verb for _, verb in granted(AUDITOR)} == {"get", "list", "watch"}


def test_an_operator_may_not_change_what_runs_beside_models() -> None:
    changing = {r for r, verb in granted(OPERATOR) if verb in ("create", "update", "patch")}
    assert changing == {"inferenceservices", "nodes", "pods/eviction", "deployments/scale", "statefulsets/scale"}


def test_each_group_is_bound_where_the_stack_says_and_nowhere_else() -> None:
    made = bindings(SITE)
    assert set(made) == {f"lab/{ENGINEER}", f"models/{ENGINEER}", AUDITOR, OPERATOR}
    assert [s["name"] for s in made[f"lab/{ENGINEER}"]["subjects"]] == ["ml", "guests"]
    assert [s["name"] for s in made[f"models/{ENGINEER}"]["subjects"]] == ["ml"]
    assert {d["roleRef"]["name"] for d in made.values()} == {ENGINEER, AUDITOR, OPERATOR}
    assert {s["kind"] for d in made.values() for s in d["subjects"]} == {"Group"}


def test_a_stack_that_names_nobody_binds_nothing() -> None:
    assert bindings(People()) == {}


def test_the_glass_is_whole_until_the_stack_says_why_and_how_long() -> None:
    assert BREAK_GLASS not in bindings(SITE)
    made = bindings(People(break_glass=BreakGlass("gateway down", NOW)))[BREAK_GLASS]
    assert [s["name"] for s in made["subjects"]] == [BREAK_GLASS_GROUP]
    assert list(made["metadata"]["annotations"].values()) == ["gateway down (until 2026-11-23 12:00 UTC)"]


def test_a_glass_whose_time_is_over_stops_the_stack() -> None:
    glass = People(break_glass=BreakGlass("gateway down", NOW))
    people.check(glass, NOW - timedelta(seconds=1))
    with pytest.raises(BadInput, match="2026-11-23 12:00 UTC"):
        people.check(glass, NOW)


@pytest.mark.parametrize("group", ["system:authenticated", "system:masters", BREAK_GLASS_GROUP])
@pytest.mark.parametrize("role", ["engineers", "auditors", "operators"])
def test_groups_that_are_not_the_sites_own_are_refused(group: str, role: str) -> None:
    given: Any = [Engineers(group, ("models",))] if role == "engineers" else [group]
    with pytest.raises(BadInput, match=group):
        people.check(People(**{role: given}))


@pytest.mark.parametrize("namespace", ["kserve", "istio-system", "istio-cni", "kube-system", "default"])
def test_engineers_have_no_place_in_the_platforms_namespaces(namespace: str) -> None:
    with pytest.raises(BadInput, match=namespace):
        people.check(People(engineers=[Engineers("ml", ("models", namespace))]))


def test_the_namespace_of_engineers_is_made_like_that_of_a_model_and_before_their_binding(tmp_path: Path) -> None:
    site = make_site(tmp_path)
    model = ModelArgs(site=site, domain="models.test", model="tiny", runtime="vllm-cpu")
    outputs: dict[str, Any] = {}

    def program() -> object:
        platform = Platform("platform", PlatformArgs(site, "models.test", [("chat", model)], people=SITE))
        outputs.update(platform.outputs)
        return platform.urn

    noted = run(program)
    labels = noted.documents["namespace/lab"]["metadata"]["labels"]
    assert labels == noted.documents["namespace/models"]["metadata"]["labels"]
    assert noted.comes_after(f"rolebinding/lab/{ENGINEER}", "namespace/lab")
    assert outputs["namespaces"]["models"] == ["lab", "models"]
    assert outputs["engineers"][1] == {"group": "guests", "namespaces": ["lab"]}
    assert outputs["breakGlass"] is False
