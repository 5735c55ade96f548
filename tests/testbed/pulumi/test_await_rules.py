from __future__ import annotations

from typing import Any

import pytest

from testbed.pulumi.provider import readiness
from testbed.pulumi.provider.annotation import (
    awaits_deletion,
    propagation_policy,
    timeout_seconds,
    wait_expressions,
)
from testbed.pulumi.provider.await_rules import refresh_rule_for, rule_for
from testbed.pulumi.provider.endpoints import ServiceRule, ready_now

Object = dict[str, Any]


def manifest(version: str, kind: str, **annotations: str) -> Object:
    named = {f"pulumi.com/{key}": value for key, value in annotations.items()}
    return {"apiVersion": version, "kind": kind, "metadata": {"annotations": named}}


def check(text: str, obj: Object) -> str | None:
    rule = rule_for(manifest("example.com/v1", "Thing", waitFor=text))
    assert rule is not None
    return rule({"metadata": {"generation": 1}, **obj}, None)  # type: ignore[arg-type]  # expressions ask no server


READY = {"status": {"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "True"}]}}


def test_a_kind_has_its_rule_and_a_custom_resource_has_none() -> None:
    assert rule_for(manifest("apps/v1", "Deployment")) is readiness.deployment
    assert isinstance(rule_for(manifest("v1", "Service")), ServiceRule)
    assert rule_for(manifest("example.com/v1", "Deployment")) is None
    assert rule_for(manifest("v1", "ConfigMap")) is None


def test_skip_await_wins_over_everything_and_only_when_true() -> None:
    assert rule_for(manifest("apps/v1", "Deployment", skipAwait="true", waitFor="condition=X")) is None
    assert rule_for(manifest("apps/v1", "Deployment", skipAwait="false")) is readiness.deployment


def test_wait_for_a_condition_takes_its_status() -> None:
    assert check("condition=Ready", READY) is None
    assert check("condition=Ready=False", READY) is not None
    assert check("condition=Programmed", READY) == "condition Programmed is not reported yet"


def test_wait_for_a_list_waits_for_all_of_it() -> None:
    both = '["condition=Ready", "jsonpath={.status.url}"]'
    assert check(both, READY) == "{.status.url} selects nothing yet"
    assert check(both, {"status": {**READY["status"], "url": "https://x"}}) is None


def test_a_condition_of_an_earlier_generation_does_not_count() -> None:
    stale = {"status": {**READY["status"], "observedGeneration": 0}}
    assert check("condition=Ready", stale) == "its controller has seen generation 0, not 1"


def test_an_expression_of_another_form_is_refused() -> None:
    with pytest.raises(ValueError, match="prefix"):
        check("delete", READY)
    with pytest.raises(ValueError, match="at least one"):
        wait_expressions(manifest("v1", "Pod", waitFor="[]"))


def test_a_refresh_judges_workloads_and_services_only() -> None:
    assert refresh_rule_for(manifest("v1", "Service")) is ready_now
    assert refresh_rule_for(manifest("apps/v1", "Deployment")) is readiness.deployment
    assert refresh_rule_for(manifest("apps/v1", "Deployment", skipAwait="true")) is None
    assert refresh_rule_for(manifest("v1", "Namespace")) is None


def test_the_resource_option_wins_over_the_annotation_over_the_default() -> None:
    annotated = manifest("v1", "Pod", timeoutSeconds="30")
    assert timeout_seconds(annotated, 5, 600) == 5
    assert timeout_seconds(annotated, 0, 600) == 30
    assert timeout_seconds(manifest("v1", "Pod", timeoutSeconds="soon"), 0, 600) == 600


def test_deletion_is_foreground_unless_annotated() -> None:
    assert propagation_policy(manifest("v1", "Pod")) == "Foreground"
    assert propagation_policy(manifest("v1", "Pod", deletionPropagationPolicy="background")) == "Background"
    assert propagation_policy(manifest("v1", "Pod", deletionPropagationPolicy="orphan")) == "Orphan"


def test_skip_await_skips_waiting_for_deletion_of_a_few_kinds_only() -> None:
    assert not awaits_deletion(manifest("v1", "Namespace", skipAwait="true"))
    assert awaits_deletion(manifest("v1", "ConfigMap", skipAwait="true"))
    assert awaits_deletion(manifest("v1", "Namespace"))
