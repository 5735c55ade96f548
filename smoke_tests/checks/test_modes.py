"""Both serving modes under the same rules."""

from __future__ import annotations

import re
from typing import Any

import pytest

from mirror.text import merged
from smoke_tests.cluster import Cluster
from smoke_tests.environment import Environment, ServedModel
from smoke_tests.evidence import Fact, Group
from smoke_tests.plugin import not_asked
from smoke_tests.predictors import MODEL_SERVER
from smoke_tests.probes import RESTRICTED
from smoke_tests.trials import Trial

GROUP = Group.HARDENING
API_ACCESS = "kube-api-access"
"""Begins the name of the volume that Kubernetes gives a pod with a token of its service account."""

# What is laid over the predictor of a model that would be accepted.
FORBIDDEN: dict[str, dict[str, Any]] = {
    "weights straight from a hub": {"model": {"storageUri": "hf://org/model"}},
    "weights by tag": {"model": {"storageUri": "oci+native://registry.example.com/org/model:v1"}},
    "a server that did not cross the gap": {"model": {"image": f"docker.io/org/server@sha256:{'0' * 64}"}},
    "a server that runs as root": {"model": {"securityContext": {"runAsUser": 0, "runAsNonRoot": False}}},
    "a privileged server": {"model": {"securityContext": {"privileged": True}}},
    "prompts that are copied elsewhere": {"logger": {"mode": "all", "url": "http://sink.example.com"}},
    "no proxy": {"annotations": {"sidecar.istio.io/inject": "false"}},
}
_POLICY = re.compile(r"ValidatingAdmissionPolicy '([^']+)'")


@pytest.mark.parametrize("what", FORBIDDEN)
def test_forbidden_model(
    environment: Environment, cluster: Cluster, typical_models: list[ServedModel], what: str, facts: dict[str, Fact]
) -> None:
    """A model with {what} is refused by the same rule in every serving mode; without, it would be accepted."""
    refused = {}
    for model in typical_models:
        right = Trial(environment, cluster, model, "sealift-trial-modes").inference_service((), {})
        control = cluster.try_create(right)
        assert control is None, f"in {model.mode} mode even the conforming model is refused: {control}"
        refusal = cluster.try_create(merged(right, {"spec": {"predictor": FORBIDDEN[what]}}))
        assert refusal, f"in {model.mode} mode it would be accepted"
        facts[f"refusal in {model.mode} mode"] = refusal.message[:300]
        refused[model.mode] = tuple(_POLICY.findall(refusal.message))
    assert all(refused.values()), "it was not a rule of the platform that refused it"
    assert len(set(refused.values())) == 1, f"the modes are told apart: {refused}"


def test_restricted(cluster: Cluster, typical_model: ServedModel, facts: dict[str, Fact]) -> None:
    """Every container of {typical_model.name} ({typical_model.mode} mode) is unprivileged and read-only."""
    pods = cluster.predictor_pods(typical_model.name, typical_model.namespace)
    if not pods and typical_model.scale_to_zero:
        not_asked("no replica of it runs at the moment")
    assert pods, "no replica of it runs"
    spec = pods[0]["spec"]
    containers = [*spec.get("initContainers", []), *spec["containers"]]
    facts["containers"] = [c["name"] for c in containers]
    for container in containers:
        own = spec.get("securityContext", {}) | container.get("securityContext", {})
        lax = {k: own.get(k) for k, v in RESTRICTED.items() if own.get(k) != v}
        assert not lax, f"container {container['name']} has {lax}"
    assert not [v for v in spec["volumes"] if v["name"].startswith(API_ACCESS)], "it has a token of the API server's"
    server = next(c for c in containers if c["name"] == MODEL_SERVER)
    weights = {v["name"] for v in spec["volumes"] if "image" in v}
    assert weights & {m["name"] for m in server["volumeMounts"]}, "no weights are mounted as an image"


def test_digests(environment: Environment, cluster: Cluster, model: ServedModel, facts: dict[str, Fact]) -> None:
    """Knative takes the images of {model.name} by the digests of the receipt, without having asked a registry."""
    if model.mode != "Knative":
        not_asked(f"{model.name} runs in {model.mode} mode")
    label = f"serving.knative.dev/service={model.service_name}"
    revisions = cluster.items("revisions.serving.knative.dev", "-n", model.namespace, "-l", label)
    assert revisions, "it has no revision"
    carried = {i.mirrored for i in environment.receipt.images}
    for revision in revisions:
        name = revision["metadata"]["name"]
        found = {c["name"]: c.get("imageDigest", "") for c in revision["status"].get("containerStatuses") or []}
        facts[name] = [f"{container} {image}" for container, image in found.items()]
        assert found, f"revision {name} says nothing of its images"
        strange = {container: image for container, image in found.items() if image not in carried}
        assert not strange, f"these were not carried: {strange}"
