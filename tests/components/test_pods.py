"""Hardening and sizing of upstream's pods."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from components.documents import Document
from components.hardening import hardened
from components.probes import probed
from components.size import SIZES, SizeName, amount, sized


def deployment(container: dict[str, Any], **pod: object) -> Document:
    spec = {"containers": [{"name": "c", **container}], **pod}
    metadata = {"name": "d", "namespace": "n"}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"template": {"spec": spec}}}


def pod(document: Document | None) -> dict[str, Any]:
    assert document is not None
    return document["spec"]["template"]["spec"]


def test_a_bare_pod_gets_all_that_restricted_asks_for() -> None:
    made = pod(hardened(deployment({}, initContainers=[{"name": "i"}])))
    assert made["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    expected = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    for container in (*made["containers"], *made["initContainers"]):
        assert container["securityContext"] == expected


def test_what_upstream_says_is_kept_so_that_the_namespace_can_refuse_it() -> None:
    made = pod(hardened(deployment({"securityContext": {"runAsUser": 0, "capabilities": {"add": ["SYS_ADMIN"]}}})))
    assert made["containers"][0]["securityContext"]["capabilities"] == {"add": ["SYS_ADMIN"]}


def test_the_one_pod_that_works_on_the_node_is_read_only_too_and_keeps_what_it_needs() -> None:
    needs = {"runAsUser": 0, "runAsNonRoot": False, "capabilities": {"drop": ["ALL"], "add": ["SYS_ADMIN"]}}
    made = pod(hardened(deployment({"securityContext": needs}), restricted=False))
    assert made["containers"][0]["securityContext"] == {"readOnlyRootFilesystem": True, **needs}
    assert "runAsNonRoot" not in made["securityContext"]


def test_a_pod_gets_no_token_of_the_api_server() -> None:
    made = pod(hardened(deployment({})))
    assert made["automountServiceAccountToken"] is False
    assert "volumes" not in made


def test_of_a_pod_that_needs_the_api_server_only_the_container_that_does_gets_a_token() -> None:
    document = deployment({})
    document["metadata"] = {"name": "activator", "namespace": "knative-serving"}
    document["spec"]["template"]["spec"]["containers"] = [{"name": "activator"}, {"name": "beside"}]
    made = pod(hardened(document))
    assert made["automountServiceAccountToken"] is False
    mounts = {c["name"]: [m["mountPath"] for m in c.get("volumeMounts", [])] for c in made["containers"]}
    assert mounts == {"activator": ["/var/run/secrets/kubernetes.io/serviceaccount"], "beside": []}
    [volume] = made["volumes"]
    assert volume["projected"]["sources"][0] == {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}}


def test_a_service_account_gives_no_pod_a_token_that_does_not_ask() -> None:
    account = {"kind": "ServiceAccount", "metadata": {"name": "a"}, "automountServiceAccountToken": True}
    assert hardened(account)["automountServiceAccountToken"] is False


def test_a_controller_runs_as_a_user_that_no_node_knows() -> None:
    document = deployment({})
    document["metadata"] = {"name": "istiod", "namespace": "istio-system"}
    assert pod(hardened(document))["securityContext"]["runAsUser"] == 65532


def test_a_pod_gives_way_in_the_platforms_order_unless_upstream_says_more() -> None:
    assert pod(hardened(deployment({})))["priorityClassName"] == "sealift-platform"
    kept = deployment({}, priorityClassName="system-node-critical")
    assert pod(hardened(kept))["priorityClassName"] == "system-node-critical"


def test_a_restart_does_not_need_the_registry() -> None:
    assert (
        pod(hardened(deployment({"imagePullPolicy": "Always"})))["containers"][0]["imagePullPolicy"] == "IfNotPresent"
    )


def test_a_container_gets_the_probes_it_lacks_and_keeps_those_it_has() -> None:
    document = deployment({"readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}}})
    document["metadata"] = {"name": "istiod", "namespace": "istio-system"}
    document["spec"]["template"]["spec"]["containers"][0]["name"] = "discovery"
    [container] = pod(probed(document))["containers"]
    assert container["readinessProbe"] == {"httpGet": {"path": "/ready", "port": 8080}}
    assert container["livenessProbe"]["tcpSocket"] == {"port": 15012}
    assert probed(deployment({})) == deployment({})


def test_other_kinds_are_left_alone() -> None:
    role = {"kind": "Role", "metadata": {"name": "r"}, "rules": []}
    assert hardened(role) == role
    assert sized(role, SIZES["small"]) == role


@pytest.mark.parametrize(
    ("quantity", "number"), [("300m", "0.3"), ("2", "2"), (1, "1"), ("64Mi", str(64 * 2**20)), ("1Gi", str(2**30))]
)
def test_quantities_are_kubernetes_own(quantity: str | int, number: str) -> None:
    assert amount(quantity) == Decimal(number)


def test_small_lowers_requests_and_never_raises_them_and_keeps_limits() -> None:
    resources = {"requests": {"cpu": "300m", "memory": "10Mi"}, "limits": {"cpu": "1"}}
    cut = pod(sized(deployment({"resources": resources}), SIZES["small"]))["containers"][0]["resources"]
    assert cut == {"requests": {"cpu": "20m", "memory": "10Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}}


def test_standard_leaves_requests_as_upstream_has_them() -> None:
    document = deployment({"resources": {"requests": {"cpu": "300m"}}})
    [container] = pod(sized(document, SIZES["standard"]))["containers"]
    assert container["resources"]["requests"] == {"cpu": "300m"}


@pytest.mark.parametrize("name", ["small", "standard"])
def test_no_container_goes_without_a_limit(name: SizeName) -> None:
    made = pod(sized(deployment({}, initContainers=[{"name": "i"}]), SIZES[name]))
    for container in (*made["containers"], *made["initContainers"]):
        assert set(container["resources"]["limits"]) == {"cpu", "memory"}
        for resource, most in container["resources"]["limits"].items():
            assert amount(most) >= amount(container["resources"].get("requests", {}).get(resource, 0))


@pytest.mark.parametrize("name", ["small", "standard"])
def test_autoscalers_that_would_need_a_metrics_server_are_left_out(name: SizeName) -> None:
    scaler = {"kind": "HorizontalPodAutoscaler", "metadata": {"name": "h"}, "spec": {}}
    assert sized(scaler, SIZES[name]) is None
