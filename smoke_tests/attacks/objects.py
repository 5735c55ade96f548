"""Objects that would weaken a namespace, the mesh or the model's provenance, tried with all of RBAC's permissions."""

from __future__ import annotations

from typing import Any

from smoke_tests.cluster import Document
from smoke_tests.probes import restricted_container

from .guard import Guard
from .images import Images
from .pods import NAME
from .requests import ApiAttempt, create

_ADMISSION = frozenset({Guard.ADMISSION_POLICY})
_WEBHOOK_OR_POLICY = frozenset({Guard.ADMISSION_POLICY, Guard.ADMISSION_WEBHOOK})


def attempts(namespace: str, weights: str, runtime: str, image: str, images: Images) -> list[ApiAttempt]:
    """In ``namespace``, with all that RBAC can give.

    ``weights`` and ``image`` arrived (mirrored names); ``runtime`` is the name of a ClusterServingRuntime.
    """

    def model(uri: str) -> Document:
        return inference_service(namespace, uri, runtime)

    def knative(run: str) -> Document:
        pod = {"automountServiceAccountToken": False, "containers": [restricted_container(run)]}
        spec = {"template": {"spec": pod}}
        return an_object("serving.knative.dev/v1", "Service", namespace, spec)

    def serving_runtime(run: str) -> Document:
        formats = [{"name": "vllm", "version": "1"}]
        server = {**restricted_container(run), "name": "kserve-container"}
        spec = {"supportedModelFormats": formats, "containers": [server]}
        return an_object("serving.kserve.io/v1alpha1", "ServingRuntime", namespace, spec)

    good = f"oci+native://{weights}"
    unlisted = f"oci+native://{weights.partition('@')[0]}@sha256:{'f' * 64}"
    return [
        _attempt("A model from a hub outside is made.", model("hf://HuggingFaceTB/SmolLM2-135M"), model(good)),
        _attempt("A model from a bucket is made.", model("s3://bucket/model"), model(good)),
        _attempt("A model that no bundle brought is made.", model(unlisted), model(good)),
        _attempt("A model by tag is made.", model(f"oci+native://{weights.partition('@')[0]}:latest"), model(good)),
        _attempt(
            "A Knative Service with an image from outside is made.",
            knative(images.foreign_by_digest),
            knative(image),
            _WEBHOOK_OR_POLICY,
        ),
        _attempt(
            "A ServingRuntime with an image from outside is made.",
            serving_runtime(images.foreign_by_digest),
            serving_runtime(image),
        ),
        *_mesh(namespace),
        *_ways_in(namespace),
        *_namespaces(),
    ]


def inference_service(namespace: str, uri: str, runtime: str) -> Document:
    """A model in ``namespace`` with weights from ``uri``, on ClusterServingRuntime ``runtime``."""
    server = {"modelFormat": {"name": "vllm"}, "runtime": runtime, "storageUri": uri}
    predictor = {"automountServiceAccountToken": False, "model": server}
    return an_object("serving.kserve.io/v1beta1", "InferenceService", namespace, {"predictor": predictor})


def _mesh(namespace: str) -> list[ApiAttempt]:
    def authentication(mode: str) -> Document:
        return an_object("security.istio.io/v1", "PeerAuthentication", namespace, {"mtls": {"mode": mode}})

    def destination(mode: str) -> Document:
        spec = {"host": f"x.{namespace}.svc.cluster.local", "trafficPolicy": {"tls": {"mode": mode}}}
        return an_object("networking.istio.io/v1", "DestinationRule", namespace, spec)

    def authorization(rules: list[Any]) -> Document:
        return an_object("security.istio.io/v1", "AuthorizationPolicy", namespace, {"action": "ALLOW", "rules": rules})

    named = [{"from": [{"source": {"principals": [f"cluster.local/ns/{namespace}/sa/default"]}}]}]
    return [
        _attempt("Plaintext is let into a namespace.", authentication("PERMISSIVE"), authentication("STRICT")),
        _attempt("Mutual TLS is switched off for a namespace.", authentication("DISABLE"), authentication("STRICT")),
        _attempt(
            "Clients of a Service are made to speak plaintext.", destination("DISABLE"), destination("ISTIO_MUTUAL")
        ),
        _attempt("A policy that allows everybody is made.", authorization([{}]), authorization(named)),
    ]


def _ways_in(namespace: str) -> list[ApiAttempt]:
    def service(**fields: Any) -> Document:  # noqa: ANN401 - fields of a Service's spec
        spec = {"selector": {"app": NAME}, "ports": [{"name": "http", "port": 80}], **fields}
        return an_object("v1", "Service", namespace, spec)

    return [
        _attempt("A Service that opens a port of every node is made.", service(type="NodePort"), service()),
        _attempt("A Service that takes an address outside is made.", service(externalIPs=["203.0.113.7"]), service()),
        _attempt("A Service that takes a load balancer is made.", service(type="LoadBalancer"), service()),
    ]


def _namespaces() -> list[ApiAttempt]:
    def namespace(**labels: str) -> Document:
        named = {f"pod-security.kubernetes.io/{mode}": profile for mode, profile in labels.items()}
        return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAME, "labels": named}}

    conforming = namespace(enforce="restricted")
    return [
        _attempt("A namespace that admits any pod is made.", namespace(), conforming),
        _attempt("A namespace for privileged pods is made.", namespace(enforce="privileged"), conforming),
    ]


def _attempt(sentence: str, broken: Document, whole: Document, guards: frozenset[Guard] = _ADMISSION) -> ApiAttempt:
    return ApiAttempt(sentence, create(broken), create(whole), guards)


def an_object(version: str, kind: str, namespace: str, spec: Document) -> Document:
    """An object of the attempts' name in ``namespace``."""
    return {"apiVersion": version, "kind": kind, "metadata": {"name": NAME, "namespace": namespace}, "spec": spec}
