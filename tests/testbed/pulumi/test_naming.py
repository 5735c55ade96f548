from __future__ import annotations

from typing import Any

import pytest

from testbed.pulumi.provider.naming import NameRequired, assign

SEED = bytes.fromhex("0123456789abcdef")


def named(metadata: dict[str, Any], old: dict[str, Any] | None = None, proposal: str | None = None) -> dict[str, Any]:
    inputs = {"metadata": metadata}
    assign(inputs, old or {}, "web", SEED, proposal)
    return inputs["metadata"]


MARK = {"pulumi.com/autonamed": "true"}


def test_a_nameless_object_is_named_after_its_resource_and_marked() -> None:
    assert named({}) == {"name": "web-01234567", "annotations": MARK}


def test_a_name_is_left_alone() -> None:
    assert named({"name": "mine"}) == {"name": "mine"}


def test_an_automatic_name_is_kept_and_a_given_one_is_not() -> None:
    assert named({}, {"metadata": {"name": "web-old", "annotations": MARK}})["name"] == "web-old"
    assert named({}, {"metadata": {"name": "given"}})["name"] == "web-01234567"


def test_the_engines_proposal_is_taken() -> None:
    assert named({}, proposal="proposed")["name"] == "proposed"


def test_disabled_naming_requires_a_name() -> None:
    with pytest.raises(NameRequired):
        named({}, proposal="")


def test_other_annotations_stay() -> None:
    assert named({"annotations": {"a": "b"}})["annotations"] == {"a": "b", **MARK}
