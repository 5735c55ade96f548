"""Hardening and sizing of upstream's pods."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from components.documents import Document
from components.hardening import restricted
from components.size import SIZES, SizeName, amount, sized


def deployment(container: dict[str, Any], **pod: object) -> Document:
    spec = {"containers": [{"name": "c", **container}], **pod}
    metadata = {"name": "d", "namespace": "n"}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"template": {"spec": spec}}}


def pod(document: Document | None) -> dict[str, Any]:
    assert document is not None
    return document["spec"]["template"]["spec"]


def test_a_bare_pod_gets_all_that_restricted_asks_for() -> None:
    hardened = pod(restricted(deployment({}, initContainers=[{"name": "i"}])))
    assert hardened["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    for container in (*hardened["containers"], *hardened["initContainers"]):
        assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def test_what_upstream_says_is_kept_so_that_the_namespace_can_refuse_it() -> None:
    hardened = pod(
        restricted(deployment({"securityContext": {"runAsUser": 0, "capabilities": {"add": ["SYS_ADMIN"]}}}))
    )
    assert hardened["containers"][0]["securityContext"]["capabilities"] == {"add": ["SYS_ADMIN"]}


def test_a_restart_does_not_need_the_registry() -> None:
    assert (
        pod(restricted(deployment({"imagePullPolicy": "Always"})))["containers"][0]["imagePullPolicy"] == "IfNotPresent"
    )


def test_other_kinds_are_left_alone() -> None:
    role = {"kind": "Role", "metadata": {"name": "r"}, "rules": []}
    assert restricted(role) == role
    assert sized(role, SIZES["small"]) == role


@pytest.mark.parametrize(
    ("quantity", "number"), [("300m", "0.3"), ("2", "2"), (1, "1"), ("64Mi", str(64 * 2**20)), ("1Gi", str(2**30))]
)
def test_quantities_are_kubernetes_own(quantity: str | int, number: str) -> None:
    assert amount(quantity) == Decimal(number)


def test_small_lowers_requests_and_never_raises_them_and_leaves_limits() -> None:
    resources = {"requests": {"cpu": "300m", "memory": "10Mi"}, "limits": {"cpu": "1"}}
    cut = pod(sized(deployment({"resources": resources}), SIZES["small"]))["containers"][0]["resources"]
    assert cut == {"requests": {"cpu": "20m", "memory": "10Mi"}, "limits": {"cpu": "1"}}


def test_standard_leaves_requests_as_upstream_has_them() -> None:
    document = deployment({"resources": {"requests": {"cpu": "300m"}}})
    assert sized(document, SIZES["standard"]) == document


@pytest.mark.parametrize("name", ["small", "standard"])
def test_autoscalers_that_would_need_a_metrics_server_are_left_out(name: SizeName) -> None:
    scaler = {"kind": "HorizontalPodAutoscaler", "metadata": {"name": "h"}, "spec": {}}
    assert sized(scaler, SIZES[name]) is None
