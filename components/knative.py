"""Knative Serving with Istio as its ingress: models that scale to zero, inside STRICT mTLS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from mirror.document import merged

from .documents import Document, edited, with_data, with_pod_labels
from .ingress import CERTIFICATE, serverless_domain
from .istio import GATEWAY_PRINCIPAL
from .manifests import Registered, register
from .site import Site

NAMESPACE = "knative-serving"
ACTIVATOR_PRINCIPAL = f"cluster.local/ns/{NAMESPACE}/sa/activator"
CONTROL_PRINCIPAL = f"cluster.local/ns/{NAMESPACE}/sa/controller"
"""Of the autoscaler (and of the controllers, which are not in the mesh)."""
_TYPES = "CustomResourceDefinition"
_OUTSIDE_THE_MESH = ("controller", "webhook")
_REPLICATED = ("activator", "webhook")
"""In the way of every request, and of every change: upstream scales these two."""


@dataclass(frozen=True)
class KnativeArgs:
    """What depends on the site."""

    site: Site
    domain: str
    callers: Sequence[str] = ()
    """SPIFFE principals (``cluster.local/ns/../sa/..``) that may call models in Knative mode beside the gateway."""
    max_timeout_seconds: int = 3600
    """The longest that a request to a model may take, its cold start included."""
    after: Sequence[pulumi.Resource] = ()
    """For the types; everything else also comes after ``mesh``."""
    mesh: Sequence[pulumi.Resource] = ()
    """Istio in force and its gateway running: the activator gets its sidecar when its pod is made, not later."""


class Knative(pulumi.ComponentResource):
    """Serving, net-istio, and who may call the activator. ``types`` are its CRDs, ``ready`` is all of it."""

    registered: Registered
    types: list[pulumi.Resource]
    ready: list[pulumi.Resource]

    def __init__(self, name: str, args: KnativeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sealift:index:Knative", name, None, opts)
        site = args.site
        serving = configured(site.documents("knative-serving"), args)
        types = register(site, [d for d in serving if d["kind"] == _TYPES], self, args.after)
        core = [d for d in serving if d["kind"] != _TYPES]
        guards = register(site, authorization(args.callers), self, args.mesh)
        made = register(site, core, self, [*types.ready, *guards.ready])
        istio = [with_https(d, args.domain) for d in site.documents("net-istio")]
        # net-istio's config is judged by net-istio's own webhook and its Deployment by none: after Serving's answer.
        ingress = register(site, istio, self, made.ready)
        self.types, self.ready = types.ready, [*made.ready, *ingress.ready]
        self.registered = Registered(types.objects | made.objects | guards.objects | ingress.objects, self.ready)
        self.register_outputs({"domain": serverless_domain(args.domain)})


def configured(documents: Sequence[Document], args: KnativeArgs) -> list[Document]:
    """Serving's documents with their ConfigMaps at their final content: the webhook that judges them comes later."""
    changes = {f"configmap/{NAMESPACE}/{n}": with_data(data) for n, data in config_maps(args).items()}
    for deployment in _OUTSIDE_THE_MESH:
        label = {"sidecar.istio.io/inject": "false"}
        changes[f"deployment/{NAMESPACE}/{deployment}"] = with_pod_labels(label)
    replicated = [_replicated(d, args.site.size.replicas) for d in documents]
    return edited(replicated, changes)


def _replicated(document: Document, replicas: int) -> Document:
    if document["kind"] != "Deployment" or document["metadata"]["name"] not in _REPLICATED:
        return document
    return merged(document, {"spec": {"replicas": replicas}})


def config_maps(args: KnativeArgs) -> dict[str, dict[str, str]]:
    """Knative's settings, by ConfigMap."""
    timeout = str(args.max_timeout_seconds)
    registry = args.site.receipt.registry.partition("/")[0]
    return {
        "config-domain": {serverless_domain(args.domain): ""},
        "config-network": {
            # One label below the domain, so that the wildcard certificate fits.
            "domain-template": "{{.Name}}-{{.Namespace}}.{{.Domain}}",
            "default-external-scheme": "https",
            "mesh-compatibility-mode": "enabled",
            "ingress-class": "istio.ingress.networking.knative.dev",
        },
        "config-deployment": {
            # Everything is named by digest; the controller must never ask a registry of its own accord.
            "registries-skipping-tag-resolving": f"kind.local,ko.local,dev.local,{registry}",
            "progress-deadline": f"{timeout}s",
            "queue-sidecar-cpu-request": args.site.size.proxy_cpu,
        },
        "config-defaults": {
            "max-revision-timeout-seconds": timeout,
            "revision-timeout-seconds": "600",
            "revision-response-start-timeout-seconds": "600",
        },
        "config-features": {
            "secure-pod-defaults": "enabled",
            "kubernetes.podspec-volumes-emptydir": "enabled",
        },
        "config-autoscaler": {"allow-zero-initial-scale": "true", "enable-scale-to-zero": "true"},
    }


def with_https(document: Document, domain: str) -> Document:
    """net-istio's ingress Gateway with HTTPS for the serverless domain in place of plaintext for every host."""
    if document["kind"] != "Gateway" or document["metadata"]["name"] != "knative-ingress-gateway":
        return document
    server = {
        "port": {"number": 443, "name": "https-serverless", "protocol": "HTTPS"},
        "hosts": [f"*.{serverless_domain(domain)}"],
        "tls": {"mode": "SIMPLE", "credentialName": CERTIFICATE},
    }
    return {**document, "spec": {**document["spec"], "servers": [server]}}


def authorization(callers: Sequence[str]) -> list[Document]:
    """Who may call the activator and the autoscaler.

    The activator forwards for whoever calls it and with its own identity, so a model's policy alone would let any
    workload of the mesh through it (knative-extensions/net-istio issue 554).
    """
    return [
        _policy("activator", [GATEWAY_PRINCIPAL, CONTROL_PRINCIPAL, *callers]),
        _policy("autoscaler", [ACTIVATOR_PRINCIPAL, CONTROL_PRINCIPAL]),
    ]


def _policy(app: str, principals: Sequence[str]) -> Document:
    spec: dict[str, Any] = {
        "selector": {"matchLabels": {"app": app}},
        "action": "ALLOW",
        "rules": [{"from": [{"source": {"principals": list(principals)}}]}],
    }
    metadata = {"name": f"allow-{app}", "namespace": NAMESPACE}
    return {"apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy", "metadata": metadata, "spec": spec}
