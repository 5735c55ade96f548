"""The attempts as data: each differs from its control by the attack, and each refusal is ascribed to its guard."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from mirror.receipt import Receipt
from smoke_tests import probes
from smoke_tests.attacks import guard, objects, people, plaintext, pods, traffic
from smoke_tests.attacks.guard import Guard
from smoke_tests.attacks.images import Images
from smoke_tests.attacks.places import Places
from smoke_tests.attacks.requests import ApiAttempt
from smoke_tests.calls import Call
from smoke_tests.cluster import Identity

REGISTRY = "registry.test:5000"
IMAGE = f"{REGISTRY}/docker.io/curlimages/curl@sha256:{'a' * 64}"
WEIGHTS = f"{REGISTRY}/hub.test/models/tiny@sha256:{'c' * 64}"
IMAGES = Images(
    foreign_by_tag="docker.io/library/busybox:latest",
    foreign_by_digest=f"docker.io/library/busybox@sha256:{'b' * 64}",
    internal_by_tag=f"{REGISTRY}/docker.io/curlimages/curl:latest",
    internal_unknown=f"{REGISTRY}/docker.io/curlimages/curl@sha256:{'b' * 64}",
    misnamed=f"{REGISTRY}/docker.io/curlimages/curl@sha256:{'d' * 64}",
)
PLACES = Places(
    node="10.77.0.2",
    istiod="10.244.0.3",
    gateway_pod="10.244.0.4",
    model_service="chat-predictor.models.svc.cluster.local:80",
    model_host="chat-models.example.test",
    model_pod="10.244.0.9:8080",
    model_address="10.244.0.9",
    activator="10.244.0.5",
    knative_service="batch-predictor-00001-private.models.svc.cluster.local:80",
    knative_host="batch-predictor.models.svc.cluster.local",
    knative_namespace="models",
    knative_revision="batch-predictor-00001",
)
NOTHING = Call(0, 0, "", "", "", False, False, "", "", "")


def api_attempts() -> list[ApiAttempt]:
    engineer = Identity("ann", ("team-a",))
    pod = probes.pod("models", pods.NAME, IMAGE, identity="default", mesh=True)
    model = objects.inference_service("default", f"oci+native://{WEIGHTS}", "vllm-cpu")
    ground = people.Ground("models", pod, model, "gateway-1", "node-1")
    return [
        *pods.attempts("models", IMAGE, IMAGES),
        *objects.attempts("models", WEIGHTS, "vllm-cpu", IMAGE, IMAGES),
        *people.engineer_attempts(engineer, ground),
        *people.workload_attempts(engineer, "models"),
    ]


def test_there_are_more_than_sixty_attempts_besides_those_on_each_port_that_is_found() -> None:
    assert len(api_attempts()) + len(traffic.attempts(PLACES)) > 60


def test_no_two_attempts_have_the_same_sentence() -> None:
    sentences = [str(a) for a in [*api_attempts(), *traffic.attempts(PLACES)]]
    assert len(sentences) == len(set(sentences))


@pytest.mark.parametrize("attempt", api_attempts(), ids=str)
def test_an_attempt_differs_from_its_control_by_what_is_tried_or_by_who_tries(attempt: ApiAttempt) -> None:
    differs = (attempt.attack, attempt.identity) != (attempt.control, attempt.control_identity)
    assert differs and attempt.guards


def test_breaking_one_object_leaves_the_next_one_whole() -> None:
    first, second = pods.attempts("models", IMAGE, IMAGES)[:2]
    assert first.control == second.control
    assert "hostNetwork" not in json.dumps(second.attack.document)


@pytest.mark.parametrize("kind", ["Deployment", "DaemonSet", "StatefulSet", "Job", "CronJob"])
def test_the_pod_of_a_workload_is_the_conforming_pod(kind: str) -> None:
    pod = probes.pod("models", pods.NAME, IMAGE, identity="default", mesh=True)
    text = json.dumps(pods.workload(kind, pod))
    assert IMAGE in text and '"readOnlyRootFilesystem": true' in text


@pytest.mark.parametrize("attempt", traffic.attempts(PLACES), ids=str)
def test_a_call_differs_from_its_control(attempt: traffic.CallAttempt) -> None:
    assert (attempt.source, attempt.url, attempt.options) != (attempt.control_source, attempt.control, ())


def test_without_a_model_in_knative_mode_there_is_no_activator_to_go_through() -> None:
    without = traffic.attempts(replace(PLACES, activator=None, knative_host=None))
    assert not [a for a in without if "activator" in a.sentence]


@pytest.mark.parametrize(
    ("message", "by"),
    [
        ('pods "x" is forbidden: violates PodSecurity "restricted:v1.34": privileged', Guard.POD_SECURITY),
        ("ValidatingAdmissionPolicy 'sealift-images' with binding 'x' denied request: no", Guard.ADMISSION_POLICY),
        ('admission webhook "validation.webhook.serving.knative.dev" denied the request', Guard.ADMISSION_WEBHOOK),
        ('secrets is forbidden: User "ann" cannot list resource "secrets" in API group ""', Guard.RBAC),
        ("error: You must be logged in to the server (Unauthorized)", Guard.AUTHENTICATION),
        ("Unable to connect to the server: dial tcp: connection refused", None),
        ('deployments.apps "x" not found', None),
    ],
)
def test_a_refusal_of_the_api_server_is_ascribed_to_its_guard(message: str, by: Guard | None) -> None:
    assert guard.of_api(message) is by


@pytest.mark.parametrize(
    ("call", "through_sidecar", "by"),
    [
        (replace(NOTHING, exit=28), False, Guard.NETWORK_POLICY),
        (replace(NOTHING, exit=28, connected=True), True, Guard.NETWORK_POLICY),
        (replace(NOTHING, exit=28, connected=True), False, None),
        (replace(NOTHING, exit=52, connected=True), False, Guard.MUTUAL_TLS),
        (replace(NOTHING, exit=7), False, Guard.NO_LISTENER),
        (replace(NOTHING, status=403, body="RBAC: access denied"), True, Guard.AUTHORIZATION_POLICY),
        (replace(NOTHING, status=403, body='{"kind": "Status"}'), False, Guard.RBAC),
        (replace(NOTHING, status=401), False, Guard.AUTHENTICATION),
        (replace(NOTHING, status=502, server="envoy"), True, Guard.REGISTRY_ONLY),
        (replace(NOTHING, status=503, body="delayed connect error: 111"), True, Guard.NETWORK_POLICY),
        (replace(NOTHING, status=413), False, Guard.LIMIT),
        (replace(NOTHING, status=404), False, Guard.ROUTING),
        (replace(NOTHING, status=200), False, None),
        (replace(NOTHING, status=500), True, None),
        (replace(NOTHING, status=503, body="warming up"), False, None),
    ],
)
def test_a_call_that_was_stopped_is_ascribed_to_its_guard(call: Call, through_sidecar: bool, by: Guard | None) -> None:
    assert guard.of_call(call, through_sidecar=through_sidecar) is by


def service(**spec: str) -> dict[str, Any]:
    whole = {"type": "ClusterIP", "clusterIP": "10.96.0.9", "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}
    return {"metadata": {"name": "api"}, "spec": {**whole, **spec}}


def endpoints(ready: bool = True) -> dict[str, Any]:
    return {
        "metadata": {"labels": {"kubernetes.io/service-name": "api"}},
        "ports": [{"name": "http", "port": 8080}],
        "endpoints": [{"conditions": {"ready": ready}}],
    }


def test_a_port_with_a_ready_endpoint_is_tried_at_the_services_port() -> None:
    (port,) = plaintext.of_namespace([service()], [endpoints()], "models")
    assert (port.url, port.endpoints) == ("http://api.models.svc.cluster.local:80/", 1)


def test_a_headless_service_is_tried_at_the_pods_port() -> None:
    (port,) = plaintext.of_namespace([service(clusterIP="None")], [endpoints()], "models")
    assert port.port == 8080


def test_a_port_that_nobody_answers_for_is_not_tried() -> None:
    assert not list(plaintext.of_namespace([service()], [endpoints(ready=False)], "models"))


def test_images_that_must_not_run_differ_from_the_one_that_may(receipt: Receipt) -> None:
    allowed = receipt.images[0].mirrored
    made = Images.of(receipt, allowed)
    assert len({allowed, *vars(made).values()}) == 6
    assert made.misnamed.partition("@")[0] == allowed.partition("@")[0]
