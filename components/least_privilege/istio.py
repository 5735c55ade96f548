"""Istio: a mesh of one cluster with sidecars, whose gateway is made by the stack."""

from __future__ import annotations

from ..places import ISTIO
from ..rights import Dropped, Edit, Named, Only, Without
from .words import READ, WRITE, bound

_ISTIO_KINDS = {
    "networking.istio.io": (
        *("destinationrules", "envoyfilters", "gateways", "proxyconfigs", "serviceentries", "sidecars"),
        *("virtualservices", "workloadentries", "workloadgroups"),
    ),
    "security.istio.io": ("authorizationpolicies", "peerauthentications", "requestauthentications"),
    "telemetry.istio.io": ("telemetries",),
    "extensions.istio.io": ("trafficextensions", "wasmplugins"),
}
_GATEWAY_KINDS = (
    *("backendtlspolicies", "gatewayclasses", "gateways", "grpcroutes", "httproutes", "listenersets"),
    *("referencegrants", "tlsroutes"),
)
_CLUSTER = f"clusterrole/istiod-clusterrole-{ISTIO}"
ISTIOD: tuple[Edit, ...] = (
    Dropped(
        "The reader is what other clusters of a mesh come in with; this mesh is one cluster.",
        bound(f"istio-reader-clusterrole-{ISTIO}"),
    ),
    Named(
        "The kinds that are installed, by name. Three of the groups have been gone for years.",
        _CLUSTER,
        "config.istio.io",
        _ISTIO_KINDS,
    ),
    *(
        Without("Said above, by name.", _CLUSTER, group, ("*",), READ)
        for group in (
            *("authentication.istio.io", "extensions.istio.io", "networking.istio.io", "rbac.istio.io"),
            *("security.istio.io", "telemetry.istio.io"),
        )
    ),
    Named(
        "The kinds of the Gateway API by name.",
        _CLUSTER,
        "gateway.networking.k8s.io",
        {"gateway.networking.k8s.io": _GATEWAY_KINDS},
    ),
    Without("An experimental group, which is not installed.", _CLUSTER, "gateway.networking.x-k8s.io", ("*",), READ),
    Without(
        "As its kinds.",
        _CLUSTER,
        "gateway.networking.x-k8s.io",
        ("xbackendtrafficpolicies/status",),
        ("update", "patch"),
    ),
    Without("Inference pools are not installed.", _CLUSTER, "inference.networking.k8s.io", ("inferencepools",), READ),
    Without("As the pools.", _CLUSTER, "inference.networking.k8s.io", ("inferencepools/status",), ("update", "patch")),
    Without("A mesh of one cluster exports nothing.", _CLUSTER, "multicluster.x-k8s.io", ("serviceexports",)),
    Without("A mesh of one cluster imports nothing.", _CLUSTER, "multicluster.x-k8s.io", ("serviceimports",)),
    Without(
        "Ingress is not the way in: istiod's controller for it is off. It watches them all the same.",
        _CLUSTER,
        "networking.k8s.io",
        ("ingressclasses", "ingresses/status"),
    ),
    Without(
        "Machines outside the cluster cannot join the mesh: registering them by themselves is off.",
        _CLUSTER,
        "networking.istio.io",
        ("workloadentries",),
        WRITE,
    ),
    Without(
        "As the machines.",
        _CLUSTER,
        "networking.istio.io",
        ("workloadentries/status",),
    ),
    Without(
        "Of the addresses that istiod gives to a ServiceEntry it writes the status; the entry is its owner's.",
        _CLUSTER,
        "networking.istio.io",
        ("serviceentries/status",),
        ("create", "delete"),
    ),
    Without("Written in ambient mode only.", _CLUSTER, "security.istio.io", ("authorizationpolicies/status",)),
    Without("Written in ambient mode only.", _CLUSTER, "", ("services/status",)),
    Without(
        "Routes of experimental kinds are not installed.",
        _CLUSTER,
        "gateway.networking.k8s.io",
        ("tcproutes/status", "udproutes/status"),
    ),
    Without(
        "It makes the classes that it serves.", _CLUSTER, "gateway.networking.k8s.io", ("gatewayclasses",), ("delete",)
    ),
    Only(
        "The root certificate and the revocation list, which it puts into each namespace, and its own two elections.",
        _CLUSTER,
        "",
        "configmaps",
        ("update",),
        ("istio-ca-root-cert", "istio-ca-crl", "istio-namespace-controller-election", "istio-ip-autoallocate"),
    ),
    Without(
        "The ClusterRole has reading; nothing is taken away from the namespace.",
        f"role/{ISTIO}/istiod",
        "",
        ("secrets",),
        ("get", "list", "watch", "delete"),
    ),
    Only(
        "Its own authority's key, and one that the site brings.",
        f"role/{ISTIO}/istiod",
        "",
        "secrets",
        ("update",),
        ("istio-ca-secret", "cacerts"),
    ),
    Without("Reports of how far a change has got are off.", f"role/{ISTIO}/istiod", "", ("configmaps",)),
)

BASE: tuple[Edit, ...] = (
    Dropped("Of the reader, which is dropped.", (f"serviceaccount/{ISTIO}/istio-reader-service-account",)),
)
GATEWAY: tuple[Edit, ...] = (
    Without(
        "istiod hands certificates to a gateway whose account may list the Secrets of its namespace, and asks no more.",
        f"role/{ISTIO}/istio-ingressgateway",
        "",
        ("secrets",),
        ("get", "watch"),
    ),
)
