"""A model as an ML engineer names it: weights, a runtime, a mode. What is exposed and to whom follows from that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import pulumi

from mirror.document import merged

from .documents import Document
from .ingress import serverless_domain
from .istio import GATEWAY_PRINCIPAL
from .istio import NAMESPACE as ISTIO
from .knative import ACTIVATOR_PRINCIPAL, CONTROL_PRINCIPAL
from .manifests import Registered, register
from .runtime import PORT, USER
from .site import Site

Mode = Literal["Standard", "Knative"]

# vLLM serves more than the OpenAI API on the same port, some of it without any authentication
# (/invocations, /pooling, /score, /pause, /update_weights): these paths are reachable and no other.
OPENAI_PATHS = (
    "/v1/models",
    "/v1/models/*",
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/responses",
    "/v1/responses/*",
    "/v1/audio/*",
    "/v1/rerank",
)
_PROBE_PATH = "/healthz"
"""Knative's activator and its ingress controller ask queue-proxy here; the model server never sees it."""


@dataclass(frozen=True)
class ModelArgs:
    """A model. ``model`` and ``runtime`` are names in the receipt."""

    site: Site
    domain: str
    model: str
    runtime: str
    namespace: str = "models"
    mode: Mode = "Standard"
    min_replicas: int = 1
    max_replicas: int = 1
    args: Sequence[str] = ()
    """Further arguments of the model server."""
    resources: Mapping[str, Any] = field(default_factory=dict)
    """Kubernetes resources (requests, limits) laid over the runtime's."""
    timeout_seconds: int = 600
    """The longest that one request may take; in Knative mode the cold start counts."""
    ready_timeout_seconds: int = 900
    """How long a deployment waits for the model to be ready."""
    callers: Sequence[str] = ()
    """Service accounts as ``namespace/name`` that may call the model inside the cluster, beside the gateway."""
    annotations: Mapping[str, str] = field(default_factory=dict)
    """Further annotations of the InferenceService (such as autoscaling.knative.dev/window)."""
    after: Sequence[pulumi.Resource] = ()


class Model(pulumi.ComponentResource):
    """An InferenceService and the AuthorizationPolicy that says who may call which paths of it."""

    registered: Registered
    url: pulumi.Output[str]
    """Base URL of the OpenAI API."""
    service: str
    """The Kubernetes Service that answers inside the cluster, ``name.namespace``."""

    def __init__(self, name: str, args: ModelArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sealift:index:Model", f"{args.namespace}/{name}", None, opts)
        documents = [authorization(name, args), inference_service(name, args)]
        policy = register(args.site, documents[:1], self, args.after)
        served = register(args.site, documents[1:], self, [*args.after, *policy.ready], guarded=True)
        self.registered = Registered(policy.objects | served.objects, served.ready)
        self.url = pulumi.Output.from_input(f"{url(name, args)}/v1")
        self.service = f"{name}-predictor.{args.namespace}"
        self.register_outputs({"url": self.url, "service": self.service})


def url(name: str, args: ModelArgs) -> str:
    """Where the gateway answers for the model."""
    if args.mode == "Knative":
        return f"https://{name}-predictor-{args.namespace}.{serverless_domain(args.domain)}"
    return f"https://{name}-{args.namespace}.{args.domain}"


def inference_service(name: str, args: ModelArgs) -> Document:
    """The InferenceService of the model: its weights are an image that the kubelet mounts, read-only."""
    received = args.site.receipt.model(args.model)
    runtime = args.site.receipt.runtime(args.runtime)
    served: dict[str, Any] = {
        "modelFormat": {"name": runtime.engine},
        "runtime": runtime.name,
        "storageUri": f"oci+native://{received.mirrored}",
    }
    if args.args:
        served["args"] = list(args.args)
    if args.resources:
        served["resources"] = dict(args.resources)
    predictor: dict[str, Any] = {
        "minReplicas": args.min_replicas,
        "maxReplicas": args.max_replicas,
        "timeout": args.timeout_seconds,
        "automountServiceAccountToken": False,
        "model": served,
    }
    if args.mode == "Standard":
        # Knative passes no security context of the pod on: there the container's own (the runtime's) has it all.
        identity = {"runAsUser": USER, "runAsGroup": USER, "fsGroup": USER}
        restricted = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
        predictor["securityContext"] = {**identity, **restricted}
        # KServe names the Service's port after the container's, and only a port named after its protocol is HTTP to
        # every proxy: otherwise it is guessed at, and a rule about paths refuses what was not guessed to be HTTP.
        served["ports"] = [{"name": "http", "containerPort": PORT, "protocol": "TCP"}]
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "namespace": args.namespace, "annotations": _annotations(args)},
        "spec": {"predictor": predictor},
    }


def authorization(name: str, args: ModelArgs) -> Document:
    """Who may call the model's pods, and which of the paths that the server opens."""
    principals = [GATEWAY_PRINCIPAL, *(principal(c) for c in args.callers)]
    paths = [*OPENAI_PATHS]
    rules: list[dict[str, Any]] = []
    if args.mode == "Knative":
        principals.append(ACTIVATOR_PRINCIPAL)
        paths.append(_PROBE_PATH)
        metrics = {"ports": ["9090"], "methods": ["GET"]}
        rules.append({"from": _from([CONTROL_PRINCIPAL]), "to": [{"operation": metrics}]})
    rules.insert(0, {"from": _from(principals), "to": [{"operation": {"methods": ["GET", "POST"], "paths": paths}}]})
    return {
        "apiVersion": "security.istio.io/v1",
        "kind": "AuthorizationPolicy",
        "metadata": {"name": f"{name}-callers", "namespace": args.namespace},
        "spec": {
            "selector": {"matchLabels": {"serving.kserve.io/inferenceservice": name}},
            "action": "ALLOW",
            "rules": rules,
        },
    }


def sidecar(namespace: str) -> Document:
    """What proxies of a tenant's namespace know of the mesh: their own namespace and the gateway's, nothing else."""
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "Sidecar",
        "metadata": {"name": "default", "namespace": namespace},
        "spec": {"egress": [{"hosts": ["./*", f"{ISTIO}/*"]}], "outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"}},
    }


def principal(caller: str) -> str:
    """``namespace/serviceaccount`` as the SPIFFE principal that Istio authenticates."""
    namespace, _, account = caller.partition("/")
    return f"cluster.local/ns/{namespace}/sa/{account}"


def _annotations(args: ModelArgs) -> dict[str, str]:
    own = {
        "serving.kserve.io/deploymentMode": args.mode,
        "pulumi.com/waitFor": "condition=Ready",
        "pulumi.com/timeoutSeconds": str(args.ready_timeout_seconds),
    }
    if args.mode == "Standard" and args.min_replicas == args.max_replicas:
        own["serving.kserve.io/autoscalerClass"] = "none"
    return merged(args.annotations, own)


def _from(principals: Sequence[str]) -> list[dict[str, Any]]:
    return [{"source": {"principals": list(principals)}}]
