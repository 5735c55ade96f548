"""Our own scanner of who may do what."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from components.documents import Document
from components.people import BreakGlass, People, documents
from components.roles import BREAK_GLASS
from testbed.scan.rights import TITLES, findings

GOOD = {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list", "watch"]}


def role(kind: str = "ClusterRole", labels: dict[str, str] | None = None, **rule: object) -> Document:
    return {"kind": kind, "metadata": {"name": "r", "labels": labels}, "rules": [{**GOOD, **rule}]}


def binding(role: str = "r", subject: str = "s", kind: str = "ClusterRole") -> Document:
    subjects = [{"kind": "Group", "name": subject}]
    return {
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "b"},
        "roleRef": {"kind": kind, "name": role},
        "subjects": subjects,
    }


BAD = {
    "wildcard": [
        role(apiGroups=["*"]),
        role(resources=["*/scale"]),
        role(verbs=["*"]),
        role("Role", resources=["*"]),
        role(apiGroups=[], resources=[], nonResourceURLs=["*"]),
    ],
    "secrets": [
        role(resources=["secrets"], verbs=["get"]),
        role("Role", resources=["secrets"], verbs=["list"]),
        role(resources=["secrets"], verbs=["update"]),
        role(resources=["secrets"], verbs=["create", "get"]),
    ],
    "escalation": [
        role(verbs=["escalate"]),
        role(verbs=["bind"]),
        role(resources=["users"], verbs=["impersonate"]),
        role("Role", resources=["rolebindings"], verbs=["create"]),
        role(resources=["clusterroles"], verbs=["patch"]),
        role(resources=["serviceaccounts/token"], verbs=["create"]),
    ],
    "entering": [role(resources=["pods/exec"], verbs=["create"]), role(resources=["nodes/proxy"], verbs=["get"])],
    "running": [role(verbs=["create"]), role(resources=["pods"], verbs=["patch"])],
    "administrator": [binding("cluster-admin"), binding("edit")],
    "everybody": [binding(subject="system:authenticated"), binding(subject="system:anonymous")],
    "aggregated": [role(labels={"rbac.authorization.k8s.io/aggregate-to-edit": "true"})],
}
FINE = [
    role(),
    role("Role", verbs=["create"]),
    role(resources=["secrets"], verbs=["get"], resourceNames=["mine"]),
    role(resources=["secrets"], verbs=["create"]),
    role(resources=["rolebindings"], verbs=["get"]),
    binding(),
    binding("admin", kind="Role"),
    {"kind": "ClusterRole", "metadata": {"name": "r"}, "aggregationRule": {}, "rules": None},
    {"kind": "ConfigMap", "metadata": {"name": "c"}},
]


@pytest.mark.parametrize(("rule", "document"), [(r, d) for r, listed in BAD.items() for d in listed])
def test_what_breaks_a_rule_is_found(rule: str, document: Document) -> None:
    assert [f.rule for f in findings([document])] == [rule]


@pytest.mark.parametrize("document", FINE)
def test_what_breaks_none_is_not(document: Document) -> None:
    assert findings([document]) == []


def test_a_role_that_is_given_in_single_namespaces_only_may_make_pods_there() -> None:
    in_one = {**binding(), "kind": "RoleBinding", "metadata": {"name": "b", "namespace": "n"}}
    assert findings([role(verbs=["create"]), in_one]) == []
    assert [f.rule for f in findings([role(verbs=["create"]), in_one, binding()])] == ["running"]


def test_every_rule_is_shown_by_something_that_breaks_it() -> None:
    assert set(BAD) == set(TITLES)


def test_of_the_roles_for_people_only_that_for_emergencies_says_more_than_it_may() -> None:
    everybody = People(auditors=["a"], operators=["o"], break_glass=BreakGlass("why", datetime(2026, 1, 1, tzinfo=UTC)))
    assert {f.object for f in findings(documents(everybody))} == {f"clusterrole/{BREAK_GLASS}"}
