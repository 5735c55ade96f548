"""A model as an ML engineer names it: weights, a runtime, a mode. What is exposed and to whom follows from that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi

from mirror.text import merged

from .availability import budget, spread
from .callers import Called, Mode, Task, authorization
from .documents import Document
from .ingress import serverless_domain
from .istio import NAMESPACE as ISTIO
from .manifests import Registered, register
from .priorities import MODELS
from .runtime import PORT, START_SECONDS, USER, startup_probe
from .site import Site


@dataclass(frozen=True)
class ModelArgs:
    """A model. ``model`` and ``runtime`` are names in the receipt."""

    site: Site
    domain: str
    model: str
    runtime: str
    namespace: str = "models"
    mode: Mode = "Standard"
    task: Task = "generate"
    """What the model is for: which part of the OpenAI API is open."""
    canary_traffic_percent: int | None = None
    """The part of the requests that goes to the newest revision, the rest to the one before; None: all (Knative)."""
    min_replicas: int = 1
    max_replicas: int = 1
    args: Sequence[str] = ()
    """Further arguments of the model server."""
    resources: Mapping[str, Any] = field(default_factory=dict)
    """Kubernetes resources (requests, limits) laid over the runtime's."""
    timeout_seconds: int = 600
    """The longest that one request may take; in Knative mode the cold start counts."""
    start_timeout_seconds: int = START_SECONDS
    """How long the model server may take to start before it is ended and started anew."""
    ready_timeout_seconds: int = 900
    """How long a deployment waits for the model to be ready."""
    callers: Sequence[str] = ()
    """Service accounts as ``namespace/name`` that may call the model inside the cluster, beside the gateway."""
    user_namespace: bool = False
    """Whether the pods get a user namespace of their own (Standard mode): the nodes must be able to."""
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
        guards = register(args.site, [authorization(called(name, args)), *_budget(name, args)], self, args.after)
        service = inference_service(name, args)
        served = register(args.site, [service], self, [*args.after, *guards.ready], guarded=True)
        self.registered = Registered(guards.objects | served.objects, served.ready)
        self.url = pulumi.Output.from_input(f"https://{host(name, args)}/v1")
        self.service = f"{name}-predictor.{args.namespace}"
        self.register_outputs({"url": self.url, "service": self.service})


def host(name: str, args: ModelArgs) -> str:
    """The name that the gateway knows the model by."""
    if args.mode == "Knative":
        return f"{name}-predictor-{args.namespace}.{serverless_domain(args.domain)}"
    return f"{name}-{args.namespace}.{args.domain}"


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
    if args.start_timeout_seconds != START_SECONDS:
        served["startupProbe"] = startup_probe(args.start_timeout_seconds)
    if args.resources:
        served["resources"] = dict(args.resources)
    predictor: dict[str, Any] = {
        "minReplicas": args.min_replicas,
        "maxReplicas": args.max_replicas,
        "timeout": args.timeout_seconds,
        "automountServiceAccountToken": False,
        "priorityClassName": MODELS,
        "model": served,
    }
    if args.max_replicas > 1:
        predictor["topologySpreadConstraints"] = spread(_selector(name))
    if args.canary_traffic_percent is not None:
        predictor["canaryTrafficPercent"] = args.canary_traffic_percent
    if args.mode == "Standard":
        # Knative passes no security context of the pod on: there the container's own (the runtime's) has it all.
        identity = {"runAsUser": USER, "runAsGroup": USER, "fsGroup": USER}
        restricted = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
        predictor["securityContext"] = {**identity, **restricted}
        if args.user_namespace:
            # Root in the container, were it ever reached, is nobody on the node. Knative has no way to ask for it.
            predictor["hostUsers"] = False
        # KServe names the Service's port after the container's, and only a port named after its protocol is HTTP to
        # every proxy: otherwise it is guessed at, and a rule about paths refuses what was not guessed to be HTTP.
        served["ports"] = [{"name": "http", "containerPort": PORT, "protocol": "TCP"}]
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "namespace": args.namespace, "annotations": _annotations(args)},
        "spec": {"predictor": predictor},
    }


def called(name: str, args: ModelArgs) -> Called:
    """The model as its callers need to know it."""
    return Called(name, args.namespace, args.mode, args.task, tuple(args.callers))


def sidecar(namespace: str) -> Document:
    """What proxies of a tenant's namespace know of the mesh: their own namespace and the gateway's, nothing else."""
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "Sidecar",
        "metadata": {"name": "default", "namespace": namespace},
        "spec": {"egress": [{"hosts": ["./*", f"{ISTIO}/*"]}], "outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"}},
    }


def _selector(name: str) -> dict[str, Any]:
    return {"matchLabels": {"serving.kserve.io/inferenceservice": name}}


def _budget(name: str, args: ModelArgs) -> list[Document]:
    metadata = {"name": f"{name}-predictor", "namespace": args.namespace}
    return [budget(metadata, _selector(name))] if args.min_replicas > 1 else []


def _annotations(args: ModelArgs) -> dict[str, str]:
    own = {
        "serving.kserve.io/deploymentMode": args.mode,
        "pulumi.com/waitFor": "condition=Ready",
        "pulumi.com/timeoutSeconds": str(args.ready_timeout_seconds),
    }
    if args.mode == "Standard" and args.min_replicas == args.max_replicas:
        own["serving.kserve.io/autoscalerClass"] = "none"
    if args.mode == "Knative":
        # When nobody waits for it any more, a revision that does not get ready is given up and its pods go.
        patience = max(args.ready_timeout_seconds, args.start_timeout_seconds, args.timeout_seconds)
        own["serving.knative.dev/progress-deadline"] = f"{patience}s"
        # A server that answers before the activator has seen the end of the question would have its stream cut: Go's
        # HTTP/1 server takes what is left of a question for itself (https://github.com/knative/serving/issues/12387).
        own["features.knative.dev/http-full-duplex"] = "Enabled"
    return merged(args.annotations, own)
