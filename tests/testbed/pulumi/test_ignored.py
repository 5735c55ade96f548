from __future__ import annotations

import pytest

from testbed.pulumi.provider.ignored import Step, covers, keep_live, parse


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("spec.replicas", ("spec", "replicas")),
        ("webhooks[*].clientConfig.caBundle", ("webhooks", "*", "clientConfig", "caBundle")),
        ('metadata.annotations["a.b/c"]', ("metadata", "annotations", "a.b/c")),
        ("spec.ports[0]", ("spec", "ports", 0)),
    ],
)
def test_a_property_path_is_read(text: str, path: tuple[Step, ...]) -> None:
    assert parse(text) == path


def test_a_path_covers_what_lies_inside_it() -> None:
    assert covers(("a", "*", "b"), ("a", 3, "b", "c"))
    assert not covers(("a", "b"), ("a",))
    assert not covers(("a", "b"), ("a", "c"))


def test_an_ignored_field_takes_the_live_value() -> None:
    inputs = {"webhooks": [{"name": "x", "rules": ["program"]}, {"name": "y"}]}
    live = {"webhooks": [{"name": "x", "rules": ["controller"]}, {"name": "y", "rules": ["controller"]}]}
    assert keep_live(inputs, live, ("webhooks", "*", "rules")) == live


def test_an_ignored_field_that_is_not_on_the_live_object_is_not_sent() -> None:
    assert keep_live({"a": {"b": 1, "c": 2}}, {"a": {"c": 3}}, ("a", "b")) == {"a": {"c": 2}}


def test_other_fields_stay_the_programs() -> None:
    assert keep_live({"a": 1, "b": 1}, {"a": 2, "b": 2}, ("a",)) == {"a": 2, "b": 1}
