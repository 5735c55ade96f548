"""Each rule with what breaks it and what does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, unknown_checking_proxy

from mirror.errors import BadInput
from policies.expected import RECEIPT_VARIABLE, Expected, expected
from policies.pack import plain, policies
from policies.rules import RULES, Document, images, mesh, namespaces, pods
from tests.components.harness import make_receipt

DIGEST = "sha256:" + "1" * 64
IMAGE = f"registry.site/quay.io/org/app@{DIGEST}"
EXPECTED = Expected("registry.site", frozenset({IMAGE}), frozenset({"busybox:1.28"}))


def deployment(image: str = IMAGE, namespace: str = "models", *, container: Any = None, **pod: object) -> Document:  # noqa: ANN401
    spec = {"containers": [{"name": "c", "image": image, **(container or {})}], **pod}
    metadata = {"name": "d", "namespace": namespace}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"template": {"spec": spec}}}


def custom(kind: str, spec: Document, version: str = "security.istio.io/v1", **metadata: object) -> Document:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "x", **metadata}, "spec": spec}


def namespace(name: str, profile: str | None) -> Document:
    labels = {"pod-security.kubernetes.io/enforce": profile} if profile else {}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


@pytest.mark.parametrize(
    ("image", "wrong"),
    [
        (IMAGE, None),
        (f"docker.io/org/app@{DIGEST}", "not in the internal registry"),
        ("registry.site/quay.io/org/app:v1", "not named by digest"),
        (f"registry.site.evil/quay.io/org/app@{DIGEST}", "not in the internal registry"),
        (f"registry.site/quay.io/org/app@sha256:{'2' * 64}", "never arrived"),
        ("busybox:1.28", None),
    ],
)
def test_images_come_by_digest_from_the_internal_registry_and_arrived(image: str, wrong: str | None) -> None:
    found = list(images(deployment(image), EXPECTED))
    assert found == [] if wrong is None else wrong in found[0]


@pytest.mark.parametrize(
    "document",
    [
        {"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"agent": '{"image": "kserve/agent:v1"}'}},
        deployment(container={"args": ["--acme-http01-solver-image=quay.io/jetstack/solver:v1"]}),
        deployment(container={"env": [{"name": "QUEUE_IMAGE", "value": "gcr.io/x/queue:v1"}]}),
    ],
)
def test_an_image_is_found_wherever_it_hides(document: Document) -> None:
    assert len(list(images(document, EXPECTED))) == 1


@pytest.mark.parametrize(
    ("document", "wrong"),
    [
        (deployment(hostNetwork=True), "hostNetwork"),
        (deployment(hostPID=True), "hostPID"),
        (deployment(volumes=[{"name": "v", "hostPath": {"path": "/etc"}}]), "/etc"),
        (deployment(container={"securityContext": {"privileged": True}}), "privileged"),
        (deployment(container={"securityContext": {"allowPrivilegeEscalation": True}}), "may gain privileges"),
        (deployment(container={"securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}), "SYS_ADMIN"),
        (deployment(initContainers=[{"name": "i", "securityContext": {"privileged": True}}]), "initContainers[i]"),
        (custom("ClusterServingRuntime", {"containers": [{"securityContext": {"privileged": True}}]}), "privileged"),
    ],
)
def test_a_pod_that_leaves_its_own_namespace_is_refused(document: Document, wrong: str) -> None:
    [found] = pods(document, EXPECTED)
    assert wrong in found


@pytest.mark.parametrize(
    "document",
    [
        deployment(),
        deployment(hostNetwork=True, namespace="istio-cni"),
        deployment(container={"securityContext": {"capabilities": {"add": ["NET_BIND_SERVICE"]}}}),
        custom("CustomResourceDefinition", {"containers": [{"securityContext": {"privileged": True}}]}),
    ],
)
def test_an_ordinary_pod_and_the_nodes_own_pass(document: Document) -> None:
    assert list(pods(document, EXPECTED)) == []


def port(number: str, mode: str, app: str) -> Document:
    spec = {"selector": {"matchLabels": {"app": app}}, "portLevelMtls": {number: {"mode": mode}}}
    return custom("PeerAuthentication", spec, namespace="knative-serving")


@pytest.mark.parametrize(
    "document",
    [
        custom("PeerAuthentication", {"mtls": {"mode": "PERMISSIVE"}}),
        custom("PeerAuthentication", {"mtls": {"mode": "DISABLE"}}),
        port("8443", "PERMISSIVE", "activator"),
        port("8012", "PERMISSIVE", "webhook"),
        custom("DestinationRule", {"trafficPolicy": {"tls": {"mode": "DISABLE"}}}),
        custom("DestinationRule", {"subsets": [{"trafficPolicy": {"tls": {"mode": "DISABLE"}}}]}),
    ],
)
def test_plaintext_in_the_mesh_is_refused(document: Document) -> None:
    assert len(list(mesh(document, EXPECTED))) == 1


@pytest.mark.parametrize(
    "document",
    [
        custom("PeerAuthentication", {"mtls": {"mode": "STRICT"}}),
        port("8443", "PERMISSIVE", "net-istio-webhook"),
        custom("DestinationRule", {"trafficPolicy": {"tls": {"mode": "ISTIO_MUTUAL"}}}),
    ],
)
def test_mtls_and_the_admission_ports_pass(document: Document) -> None:
    assert list(mesh(document, EXPECTED)) == []


@pytest.mark.parametrize(
    ("document", "passes"),
    [
        (namespace("models", "restricted"), True),
        (namespace("istio-cni", "privileged"), True),
        (namespace("models", None), False),
        (namespace("models", "baseline"), False),
        (namespace("kserve", "privileged"), False),
    ],
)
def test_namespaces_enforce_restricted(document: Document, passes: bool) -> None:
    assert (list(namespaces(document, EXPECTED)) == []) is passes


def test_what_is_unknown_before_the_update_is_left_out() -> None:
    wrapped = unknown_checking_proxy({"a": UNKNOWN_STRING_VALUE, "b": [{"c": 1, "d": UNKNOWN_STRING_VALUE}]})
    assert plain(wrapped) == {"b": [{"c": 1}]}


def test_every_rule_is_a_mandatory_policy() -> None:
    assert [p.name for p in policies(EXPECTED)] == [r.name for r in RULES]
    assert {p.enforcement_level.value for p in policies(EXPECTED)} == {"mandatory"}


def test_the_receipt_is_found_by_the_environment_or_where_it_usually_lies(tmp_path: Path) -> None:
    receipt = make_receipt(tmp_path)
    by_name = expected({RECEIPT_VARIABLE: str(receipt)}, tmp_path / "nowhere.json")
    assert by_name == expected({}, receipt)
    assert any("huggingface.co/org/tiny@" in i for i in by_name.images)


def test_without_a_receipt_the_pack_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=RECEIPT_VARIABLE):
        expected({}, tmp_path / "nowhere.json")
