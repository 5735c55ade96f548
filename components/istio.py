"""Istio: CNI plugin, control plane, one ingress gateway; mTLS everywhere and no way out of the mesh by default."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pulumi

from . import places
from .access_log import ACCESS_LOG
from .authorization import deny_by_default
from .documents import WEBHOOK_CONFIGURATIONS, Document, annotated, edited
from .manifests import Registered, register
from .ordering import PROPAGATION
from .site import Site

NAMESPACE = places.ISTIO
GATEWAY = "istio-ingressgateway"
LONGEST_REQUEST = "3600s"
"""No model may be configured to take longer. For so long a proxy keeps its old listeners after a change of policies or
routes: requests that are under way would be cut with them, after 45 s by default."""
ServiceType = Literal["LoadBalancer", "NodePort", "ClusterIP"]


@dataclass(frozen=True)
class IstioArgs:
    """How the mesh meets the site."""

    site: Site
    service_type: ServiceType = "LoadBalancer"
    """Of the ingress gateway's Service."""
    node_port: int | None = None
    """Of the gateway's HTTPS port; None lets Kubernetes choose. Only with NodePort or LoadBalancer."""
    cni_bin_dir: str = "/opt/cni/bin"
    cni_conf_dir: str = "/etc/cni/net.d"
    after: Sequence[pulumi.Resource] = ()


class Istio(pulumi.ComponentResource):
    """The mesh. ``ready`` is the control plane with STRICT mTLS in force, ``gateway`` the ingress gateway running."""

    registered: Registered
    ready: list[pulumi.Resource]
    gateway: list[pulumi.Resource]
    https_port: pulumi.Output[int]
    """The port at which the gateway is reached: the node port, or 443."""

    def __init__(self, name: str, args: IstioArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sealift:index:Istio", name, None, opts)
        site = args.site
        base = site.documents("istio-base")
        # The default validator asks istiod: it comes with istiod's own webhooks, not before there is one.
        validators = [d for d in base if d["kind"] in WEBHOOK_CONFIGURATIONS]
        types = register(site, [d for d in base if d not in validators], self, args.after)
        node = register(site, site.documents("istio-cni", cni_values(args), harden=False), self, args.after)
        roots = register(site, roots_elsewhere(), self, args.after)
        last = {f"deployment/{NAMESPACE}/istiod": _gone_at_once}
        istiod = edited(site.documents("istiod", istiod_values(args)), last)
        control = register(site, [*istiod, *validators], self, [*types.ready, *roots.ready])
        rules = [strict_mtls(), deny_by_default(NAMESPACE)]  # also for the gateway, until front_door opens it
        mesh = register(site, rules, self, [*control.ready, *node.ready], guarded=True)
        edge = register(site, site.documents("istio-gateway", gateway_values(args)), self, mesh.ready)
        self.ready, self.gateway = mesh.ready, edge.ready
        self.registered = Registered(
            types.objects | node.objects | roots.objects | control.objects | mesh.objects | edge.objects, edge.ready
        )
        service = edge.objects[f"service/{NAMESPACE}/{GATEWAY}"]
        self.https_port = pulumi.Output.from_input(getattr(service, "spec", {})).apply(_https_port)
        self.register_outputs({"httpsPort": self.https_port})


def strict_mtls() -> Document:
    """Mesh-wide: a pod of the mesh accepts no plaintext, whoever sends it."""
    return {
        "apiVersion": "security.istio.io/v1",
        "kind": "PeerAuthentication",
        "metadata": {"name": "default", "namespace": NAMESPACE},
        "spec": {"mtls": {"mode": "STRICT"}},
    }


def roots_elsewhere() -> list[Document]:
    """The ConfigMaps that istiod fills in the namespaces that every cluster has and no stack owns.

    istiod puts its root certificate into every namespace and takes it from none: owned by the stack, they go with it.
    A namespace that somebody else made keeps its copy.
    """
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}}
        for namespace in ("default", "kube-system")
        for name in ("istio-ca-root-cert", "istio-ca-crl")
    ]


def _gone_at_once(istiod: Document) -> Document:
    """istiod's pods are waited for when it is deleted: one that still ran would make its ConfigMaps again."""
    return annotated(istiod, {PROPAGATION: "foreground"})


def cni_values(args: IstioArgs) -> dict[str, Any]:
    """Values of the istio-cni chart that depend on the node's layout."""
    return {
        "cniBinDir": args.cni_bin_dir,
        "cniConfDir": args.cni_conf_dir,
        "seccompProfile": {"type": "RuntimeDefault"},
        **_requests(args.site),
    }


def istiod_values(args: IstioArgs) -> dict[str, Any]:
    """Values of the istiod chart: injected pods fit Pod Security restricted, and nothing leaves the mesh unasked."""
    size, restricted = args.site.size, {"type": "RuntimeDefault"}
    return {
        "cni": {"enabled": True},
        "autoscaleEnabled": False,
        "replicaCount": size.replicas,
        "seccompProfile": restricted,
        "gateways": {"seccompProfile": restricted},
        "global": {
            "proxy": {
                "seccompProfile": restricted,
                "resources": {
                    "requests": {"cpu": size.proxy_cpu, "memory": size.proxy_memory},
                    "limits": {"cpu": size.proxy_limit_cpu, "memory": size.proxy_limit_memory},
                },
            },
            "defaultPodDisruptionBudget": {"enabled": False},
        },
        # istiod shows the whole configuration of the mesh there, without asking who wants to know.
        "env": {
            "ENABLE_DEBUG_ON_HTTP": "false",
            # Gateways are made by the stack: istiod makes no Deployment for whoever writes a Gateway.
            "PILOT_ENABLE_GATEWAY_API_DEPLOYMENT_CONTROLLER": "false",
            # And no machine outside the cluster joins the mesh.
            "PILOT_ENABLE_WORKLOAD_ENTRY_AUTOREGISTRATION": "false",
            "PILOT_ENABLE_WORKLOAD_ENTRY_HEALTHCHECKS": "false",
        },
        "meshConfig": {
            "outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"},
            # Routes are Gateway API's and Knative's: an Ingress opens nothing, and istiod need not read any.
            "ingressControllerMode": "OFF",
            # pilot-agent would ask the metadata address of a cloud for its platform.
            "defaultConfig": {"proxyMetadata": {"CLOUD_PLATFORM": "none"}, "drainDuration": LONGEST_REQUEST},
            **ACCESS_LOG,
            "meshMTLS": {"minProtocolVersion": "TLSV1_3"},
            "tlsDefaults": {"minProtocolVersion": "TLSV1_3"},  # of every gateway's listener, however it is declared
            # A path is judged as a server would read it: /v1/audio/..%2f..%2fpause is /pause.
            "pathNormalization": {"normalization": "DECODE_AND_MERGE_SLASHES"},
        },
        **_requests(args.site),
    }


def gateway_values(args: IstioArgs) -> dict[str, Any]:
    """Values of the gateway chart: HTTPS, and no plaintext port."""
    size = args.site.size
    https: dict[str, Any] = {"name": "https", "port": 443, "protocol": "TCP", "targetPort": 443}
    if args.node_port is not None:
        https["nodePort"] = args.node_port
    return {
        "labels": {"app": GATEWAY, "istio": "ingressgateway"},
        "service": {"type": args.service_type, "ports": [https]},
        "autoscaling": {"enabled": False},
        "replicaCount": size.replicas,
    }


def _requests(site: Site) -> dict[str, Any]:
    requests = {"cpu": site.size.request_cpu, "memory": site.size.request_memory}
    given = {k: v for k, v in requests.items() if v}
    return {"resources": {"requests": given}} if given else {}


def _https_port(spec: Any) -> int:  # noqa: ANN401 - whatever the API server answered
    ports: list[dict[str, Any]] = (spec or {}).get("ports") or []
    port: dict[str, Any] = next((p for p in ports if p.get("name") == "https"), {})
    return int(port.get("nodePort") or port.get("port") or 443)
