from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.pulumi.provider.difference import Change, before, changes, prune, quantity
from testbed.pulumi.provider.properties import UNKNOWN


def test_fields_that_only_the_cluster_sets_are_not_a_difference() -> None:
    live = {"spec": {"replicas": 1, "strategy": {"type": "RollingUpdate"}}, "status": {"replicas": 1}}
    assert prune(live, {"spec": {"replicas": 1}}) == {"spec": {"replicas": 1}}


def test_drift_of_a_field_that_the_program_sets_is_a_difference() -> None:
    inputs = {"spec": {"replicas": 1}}
    live = {"spec": {"replicas": 5}}
    assert list(changes(prune(live, inputs), inputs, typed=True)) == [(("spec", "replicas"), Change.UPDATE)]


def test_each_kind_of_change_is_told_apart() -> None:
    old = {"kept": 1, "gone": 1, "list": [1, 2], "changed": "a"}
    new = {"kept": 1, "new": 1, "list": [1], "changed": "b"}
    assert dict(changes(old, new, typed=False)) == {
        ("gone",): Change.DELETE,
        ("new",): Change.ADD,
        ("list", 1): Change.DELETE,
        ("changed",): Change.UPDATE,
    }


def test_an_unknown_value_always_changes() -> None:
    assert list(changes({"a": UNKNOWN}, {"a": UNKNOWN}, typed=True)) == [(("a",), Change.UPDATE)]


@pytest.mark.parametrize("empty", [None, "", [], {}, False, 0, {"inner": []}])
def test_the_server_drops_empty_fields_of_its_own_types_only(empty: object) -> None:
    assert list(changes({}, {"a": empty}, typed=True)) == []
    assert bool(list(changes({}, {"a": empty}, typed=False))) == (empty is not None)


def test_a_field_that_the_server_dropped_is_not_set_anew_at_every_update() -> None:
    inputs = {"spec": {"unknownField": "x", "replicas": 1}}
    live = {"spec": {"replicas": 1}}
    assert list(changes(before(live, inputs), inputs, typed=True)) == []


@pytest.mark.parametrize(("left", "right"), [("1000m", 1), ("0.5Gi", "512Mi"), ("1k", "1000"), ("1e3", 1000)])
def test_a_quantity_written_two_ways_is_the_same_in_built_in_kinds(left: object, right: object) -> None:
    assert list(changes({"a": left}, {"a": right}, typed=True)) == []
    assert list(changes({"a": left}, {"a": right}, typed=False)) == [(("a",), Change.UPDATE)]


def test_text_is_no_quantity() -> None:
    assert quantity("latest") is None
    assert list(changes({"a": "v1"}, {"a": "v2"}, typed=True)) == [(("a",), Change.UPDATE)]


def test_true_is_not_one() -> None:
    assert list(changes({"a": True}, {"a": 1}, typed=True)) == [(("a",), Change.UPDATE)]


VALUES = st.recursive(
    st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab"), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_nothing_differs_from_itself(value: object) -> None:
    assert list(changes(value, value, typed=True)) == []
    assert prune(value, value) == value
