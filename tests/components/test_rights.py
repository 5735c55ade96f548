"""Rules of roles, cut; and the tables of what is cut."""

from __future__ import annotations

import pytest

from components.documents import Document, key
from components.least_privilege import EDITS, trimmed
from components.rights import Added, Dropped, Named, Only, Without, cut, spelt_out
from tests.components.upstream_roles import upstream_roles

RULE = {"apiGroups": ["", "apps"], "resources": ["pods", "secrets"], "verbs": ["get", "list", "create"]}


def granted(rules: list[dict[str, list[str]]]) -> set[tuple[str, str, str]]:
    return {(g, r, v) for x in rules for g in x["apiGroups"] for r in x["resources"] for v in x["verbs"]}


@pytest.mark.parametrize(
    ("group", "resources", "verbs"),
    [
        ("", ("secrets",), ("get", "list")),
        ("", ("secrets",), ()),
        ("", ("pods", "secrets"), ("create",)),
        ("apps", ("pods", "secrets"), ()),
    ],
)
def test_exactly_what_is_cut_is_gone(group: str, resources: tuple[str, ...], verbs: tuple[str, ...]) -> None:
    gone = {(group, r, v) for r in resources for v in (verbs or RULE["verbs"])}
    assert granted(cut([RULE], group, resources, verbs)) == granted([RULE]) - gone


def test_other_rules_stay_as_they_are() -> None:
    urls = {"nonResourceURLs": ["/metrics"], "verbs": ["get"]}
    assert cut([urls, RULE], "apps", ("secrets",), ("get",))[0] is urls


@pytest.mark.parametrize(
    ("group", "resources", "verbs"),
    [("batch", ("pods",), ()), ("", ("nodes",), ()), ("", ("pods", "nodes"), ("get",)), ("", ("pods",), ("watch",))],
)
def test_cutting_what_nobody_granted_is_noticed(group: str, resources: tuple[str, ...], verbs: tuple[str, ...]) -> None:
    with pytest.raises(KeyError, match="no rule of it grants"):
        cut([RULE], group, resources, verbs)


def test_a_wildcard_is_spelt_out_for_one_group_and_stays_for_the_others() -> None:
    rule = {"apiGroups": ["a", "b"], "resources": ["*"], "verbs": ["get"]}
    assert granted(spelt_out([rule], "a", {"a": ("x", "y"), "c": ("z",)})) == {
        ("b", "*", "get"),
        ("a", "x", "get"),
        ("a", "y", "get"),
        ("c", "z", "get"),
    }


def test_a_wildcard_among_the_verbs_is_spelt_out_by_those_that_are_given() -> None:
    rule = {"apiGroups": ["a"], "resources": ["x"], "verbs": ["*"]}
    assert granted(spelt_out([rule], "a", {"a": ("x",)}, ("get", "list"))) == {("a", "x", "get"), ("a", "x", "list")}


def test_where_no_wildcard_is_left_it_is_noticed() -> None:
    with pytest.raises(KeyError, match="no wildcard"):
        spelt_out([RULE], "apps", {"apps": ("x",)})


def test_a_right_is_narrowed_to_names() -> None:
    role: Document = {"kind": "Role", "metadata": {"name": "r", "namespace": "n"}, "rules": [RULE]}
    [made] = Only("", "role/n/r", "", "secrets", ("get",), ("mine",)).made([role])
    named = [r for r in made["rules"] if "resourceNames" in r]
    assert [(r["resources"], r["verbs"], r["resourceNames"]) for r in named] == [(["secrets"], ["get"], ["mine"])]
    free = [r for r in made["rules"] if "resourceNames" not in r]
    assert granted(free) == granted([RULE]) - {("", "secrets", "get")}


@pytest.mark.parametrize("edit", [Dropped("", ("role/n/x",)), Without("", "role/n/x", "", ("pods",))])
def test_an_object_that_upstream_no_longer_brings_is_noticed(edit: Dropped | Without) -> None:
    with pytest.raises(KeyError, match="role/n/x"):
        edit.made([{"kind": "Role", "metadata": {"name": "r", "namespace": "n"}, "rules": [RULE]}])


@pytest.mark.parametrize("part", EDITS)
def test_every_edit_says_why(part: str) -> None:
    assert [e for e in EDITS[part] if len(e.why) < 12] == []


@pytest.mark.parametrize("part", EDITS)
def test_no_wildcard_is_left_of_those_that_the_edits_are_about(part: str) -> None:
    rules = [r for d in trimmed(part, upstream_roles(part)) for r in d.get("rules", [])]
    assert not [r for r in rules if any("*" in w for w in (*r["apiGroups"], *r["resources"], *r["verbs"]))]


def test_what_is_dropped_is_gone_with_what_names_it() -> None:
    left = [key(d) for d in trimmed("istiod", upstream_roles("istiod"))]
    assert not [k for k in left if "istio-reader" in k]


def test_what_is_given_back_holds_in_one_namespace_only() -> None:
    added = [d for edits in EDITS.values() for e in edits if isinstance(e, Added) for d in e.documents]
    assert {d["kind"] for d in added} == {"Role", "RoleBinding"}
    assert all(d["metadata"]["namespace"] for d in added)


def test_wildcards_are_only_spelt_out_into_names() -> None:
    named = [e for edits in EDITS.values() for e in edits if isinstance(e, Named)]
    assert named
    assert not [r for e in named for listed in e.resources.values() for r in listed if "*" in r]
