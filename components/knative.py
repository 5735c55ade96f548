"""Knative Serving with Istio as its ingress: models that scale to zero, inside STRICT mTLS."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pulumi

from . import places
from .authorization import allow, rule
from .callers import PROBE_PATHS, Called, activator_rules
from .documents import Document, edited, with_data, with_pod_labels, without
from .identities import ACTIVATOR, AUTOSCALER
from .ingress import CERTIFICATE, serverless_domain
from .istio import NAMESPACE as ISTIO
from .manifests import Registered, register
from .site import Site

NAMESPACE = places.KNATIVE
_TYPES = "CustomResourceDefinition"
_outside_the_mesh = with_pod_labels({"sidecar.istio.io/inject": "false"})
_OUTSIDE_THE_MESH = ("controller", "webhook")
_PLAINTEXT = (
    f"gateway/{NAMESPACE}/knative-local-gateway",
    f"service/{ISTIO}/knative-local-gateway",
    f"peerauthentication/{NAMESPACE}/webhook",
    f"peerauthentication/{NAMESPACE}/net-istio-webhook",
)


@dataclass(frozen=True)
class KnativeArgs:
    """What depends on the site."""

    site: Site
    domain: str
    models: Sequence[Called] = ()
    """Every model, for those who may call it through the activator."""
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
        guards = register(site, authorization(args.models), self, args.mesh)
        made = register(site, core, self, [*types.ready, *guards.ready])
        istio = ingress(site.documents("net-istio"), args.domain)
        # net-istio's config is judged by net-istio's own webhook and its Deployment by none: after Serving's answer.
        routed = register(site, istio, self, made.ready)
        self.types, self.ready = types.ready, [*made.ready, *routed.ready]
        self.registered = Registered(types.objects | made.objects | guards.objects | routed.objects, self.ready)
        self.register_outputs({"domain": serverless_domain(args.domain)})


def configured(documents: Sequence[Document], args: KnativeArgs) -> list[Document]:
    """Serving's documents with their ConfigMaps at their final content: the webhook that judges them comes later."""
    changes = {f"configmap/{NAMESPACE}/{n}": with_data(data) for n, data in config_maps(args).items()}
    for deployment in _OUTSIDE_THE_MESH:
        changes[f"deployment/{NAMESPACE}/{deployment}"] = _outside_the_mesh
    return edited(documents, changes)


def config_maps(args: KnativeArgs) -> dict[str, dict[str, str]]:
    """Knative's settings, by ConfigMap."""
    timeout, size = str(args.max_timeout_seconds), args.site.size
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
            "queue-sidecar-cpu-request": size.proxy_cpu,
            "queue-sidecar-cpu-limit": size.proxy_limit_cpu,
            "queue-sidecar-memory-request": size.proxy_memory,
            "queue-sidecar-memory-limit": size.proxy_limit_memory,
        },
        "config-observability": {
            # A request's path and sizes at most would be logged, never its body; not even that by default.
            "logging.enable-request-log": "false",
            "logging.enable-probe-request-log": "false",
        },
        "config-defaults": {
            "max-revision-timeout-seconds": timeout,
            "revision-timeout-seconds": timeout,
            # Knative sets it where it is less than what a model says of itself: then a first request that waits for a
            # slow start would be given up before the model's own time is over.
            "revision-response-start-timeout-seconds": timeout,
        },
        "config-features": {
            "secure-pod-defaults": "enabled",
            "kubernetes.podspec-volumes-emptydir": "enabled",
            "kubernetes.podspec-priorityclassname": "enabled",
            "kubernetes.podspec-topologyspreadconstraints": "enabled",
        },
        "config-autoscaler": {"allow-zero-initial-scale": "true", "enable-scale-to-zero": "true"},
    }


def ingress(documents: Sequence[Document], domain: str) -> list[Document]:
    """net-istio's documents with HTTPS as the only way in, and no plaintext left anywhere.

    Upstream's local gateway takes plaintext from any pod for any host and calls models under the gateway's own
    identity. Without it a name of the cluster is routed by the caller's own proxy, under the caller's identity.
    Webhooks bring their own TLS and stay outside the mesh, so nothing needs to be let off mutual TLS for them.
    """
    changes = {
        f"gateway/{NAMESPACE}/knative-ingress-gateway": _with_https(domain),
        f"configmap/{NAMESPACE}/config-istio": with_data({"local-gateways": "[]"}),
        f"deployment/{NAMESPACE}/net-istio-webhook": _outside_the_mesh,
    }
    return edited(without(documents, _PLAINTEXT), changes)


def _with_https(domain: str) -> Callable[[Document], Document]:
    server = {
        "port": {"number": 443, "name": "https-serverless", "protocol": "HTTPS"},
        "hosts": [f"*.{serverless_domain(domain)}"],
        "tls": {"mode": "SIMPLE", "credentialName": CERTIFICATE, "minProtocolVersion": "TLSV1_3"},
    }
    return lambda document: {**document, "spec": {**document["spec"], "servers": [server]}}


def authorization(models: Sequence[Called]) -> list[Document]:
    """Who may call the activator, and for which of ``models``; who the autoscaler; what the gateway is probed with."""
    reports = [rule([ACTIVATOR, AUTOSCALER], ports=[8080])]
    # Answered by the activator or by queue-proxy themselves, without a model being started or asked.
    probe = {"K-Network-Probe": "probe", "K-Network-Hash": "override"}
    probes = [rule(ports=[443], methods=["GET"], paths=PROBE_PATHS, headers=probe)]
    return [
        allow(
            "allow-knative-probes",
            ISTIO,
            "Knative asks the gateway itself, without a key, whether it already serves a new route.",
            probes,
            {"istio": "ingressgateway"},
        ),
        allow(
            "allow-activator",
            NAMESPACE,
            "The gateway may call any model through the activator, a named caller the models that name it.",
            activator_rules(models),
            {"app": "activator"},
        ),
        allow(
            "allow-autoscaler",
            NAMESPACE,
            "The activator reports to the autoscaler; autoscalers pass reports on to the one that leads.",
            reports,
            {"app": "autoscaler"},
        ),
    ]
