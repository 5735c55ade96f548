"""What the policy pack makes of rules, receipt and Pulumi's way of handing documents over."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pulumi_policy import ResourceValidationPolicy
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, unknown_checking_proxy

from mirror.errors import BadInput
from policies.examples import shown
from policies.expected import RECEIPT_VARIABLE, STACK_VARIABLE, Expected, expected
from policies.hidden import hidden_images
from policies.pack import plain, policies
from policies.rule import Document, Example, rules
from policies.settings import Settings
from tests.components.harness import make_receipt
from tests.policies.site import NAMES, RECEIPT

EXPECTED = Expected("registry.site:5000", frozenset({NAMES.image, NAMES.weights}), frozenset({"busybox:1.28"}), RECEIPT)


def judged(document: Document, resource_type: str = "kubernetes:core/v1:Any") -> list[str]:
    """What all policies of the pack report of ``document``."""
    said: list[str] = []
    args: Any = SimpleNamespace(resource_type=resource_type, props=document, name="d", urn="urn:d")
    for p in policies(EXPECTED):
        assert isinstance(p, ResourceValidationPolicy)
        validate: Any = p.validate
        validate(args, lambda message, urn, policy=p.name: said.append(f"{policy}: {message}"))
    return said


def test_every_rule_is_a_mandatory_policy() -> None:
    assert [p.name for p in policies(EXPECTED)] == [*(r.name for r in rules()), "hidden-images"]
    assert {p.enforcement_level.value for p in policies(EXPECTED)} == {"mandatory"}


def test_a_violation_says_which_policy_which_object_and_what_is_wrong() -> None:
    document = shown(Example(of="deployment", change={"/spec/template/spec/hostNetwork": True}), NAMES)
    assert judged(document) == ["host-namespaces: d: shares with the node: hostNetwork"]


def test_only_kubernetes_objects_are_judged() -> None:
    assert judged({"kind": "Pod", "spec": {"hostPID": True}}, "random:index:RandomPassword") == []
    assert judged({"no": "kind"}) == []


def test_what_is_unknown_before_the_update_is_left_out() -> None:
    wrapped = unknown_checking_proxy({"a": UNKNOWN_STRING_VALUE, "b": [{"c": 1, "d": UNKNOWN_STRING_VALUE}]})
    assert plain(wrapped) == {"b": [{"c": 1}]}


def test_values_are_judged_as_the_api_server_would_hold_them() -> None:
    """Pulumi's numbers are floating point, and a chart's nulls are no values."""
    assert plain({"uid": 0.0, "weight": 0.5, "none": None}) == {"uid": 0, "weight": 0.5}
    assert isinstance(plain({"uid": 0.0})["uid"], int)


@pytest.mark.parametrize(
    ("image", "wrong"),
    [
        (NAMES.image, None),
        ("busybox:1.28", None),
        ("quay.io/jetstack/solver:v1", "not in the internal registry"),
        ("registry.site:5000/org/app:v1", "not named by digest"),
        (f"registry.site:5000/org/app@sha256:{'3' * 64}", "never arrived"),
    ],
)
@pytest.mark.parametrize("place", ["argument", "environment", "json"])
def test_an_image_is_found_wherever_it_hides(image: str, wrong: str | None, place: str) -> None:
    container = "/spec/template/spec/containers/0"
    document = {
        "argument": shown(Example(of="deployment", change={f"{container}/args": [f"--solver-image={image}"]}), NAMES),
        "environment": shown(
            Example(of="deployment", change={f"{container}/env": [{"name": "QUEUE_IMAGE", "value": image}]}), NAMES
        ),
        "json": {"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"agent": json.dumps({"image": image})}},
    }[place]
    found = list(hidden_images(document, EXPECTED))
    assert found == [] if wrong is None else wrong in found[0]


def test_the_receipt_is_found_by_the_environment_or_where_it_usually_lies(tmp_path: Path) -> None:
    receipt = make_receipt(tmp_path)
    by_name = expected({RECEIPT_VARIABLE: str(receipt)}, tmp_path / "nowhere.json")
    assert by_name == expected({}, receipt)
    assert any("huggingface.co/org/tiny@" in i for i in by_name.images)


def test_the_stacks_own_settings_reach_the_rules(tmp_path: Path) -> None:
    config = {
        "sealift:domain": "models.site",
        "sealift:unverifiedModelSources": ["pvc://weights/"],
        "sealift:egress": [{"name": "hub", "host": "192.0.2.7", "port": 443}],
    }
    stack = tmp_path / "Pulumi.dev.yaml"
    stack.write_text(json.dumps({"config": config}))
    found = expected({STACK_VARIABLE: str(stack)}, make_receipt(tmp_path))
    assert found.settings == Settings(("pvc://weights/",), ("192.0.2.7", "hub.invalid"), "models.site")


def test_a_stack_file_that_is_none_stops_the_pack(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="No such file"):
        expected({STACK_VARIABLE: str(tmp_path / "Pulumi.none.yaml")}, make_receipt(tmp_path))


def test_without_a_receipt_the_pack_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=RECEIPT_VARIABLE):
        expected({}, tmp_path / "nowhere.json")
