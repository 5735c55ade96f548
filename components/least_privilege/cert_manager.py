"""cert-manager: certificates of the site's own authority, without ACME and without Ingress."""

from __future__ import annotations

from ..rights import Dropped, Edit, Without
from .words import PEOPLE, bound

NO_ACME = ("-certificaterequests-issuer-acme", "-challenges", "-ingress-shim", "-orders")
"""Controllers of cert-manager that are switched off: there is no ACME server inside, and Ingress is not the way in."""

_SHIM = "clusterrole/cert-manager-controller-ingress-shim"
EDITS: tuple[Edit, ...] = (
    Dropped(
        PEOPLE,
        ("clusterrole/cert-manager-cluster-view", "clusterrole/cert-manager-view", "clusterrole/cert-manager-edit"),
    ),
    Dropped(
        "Their controllers are switched off: ACME needs the internet.",
        bound("cert-manager-controller-orders", "cert-manager-controller-challenges"),
    ),
    # That the controllers of Certificates may make CertificateRequests stands in this role and in no other.
    Without(
        "Its controller, which would make Certificates for whoever annotates an Ingress or a Gateway, is switched off.",
        _SHIM,
        "cert-manager.io",
        ("certificates",),
        ("create", "update", "delete"),
    ),
    Without("As the Certificates.", _SHIM, "networking.k8s.io", ("ingresses", "ingresses/finalizers")),
    Without(
        "As the Certificates.",
        _SHIM,
        "gateway.networking.k8s.io",
        tuple(f"{kind}{sub}" for kind in ("gateways", "httproutes", "listenersets") for sub in ("", "/finalizers")),
    ),
    Dropped(
        "Signing Kubernetes' own CertificateSigningRequests is an experiment of upstream's, which is off.",
        bound("cert-manager-controller-certificatesigningrequests"),
    ),
    Without(
        "Orders belong to ACME, which is off.",
        "clusterrole/cert-manager-controller-certificates",
        "acme.cert-manager.io",
        ("orders",),
    ),
    Without(
        "Secrets of issuers are made by hand or by a Certificate, never by the controller of issuers, which makes "
        "only the account keys of ACME.",
        "clusterrole/cert-manager-controller-issuers",
        "",
        ("secrets",),
        ("create", "update", "delete"),
    ),
    Without(
        "As for the issuers of one namespace.",
        "clusterrole/cert-manager-controller-clusterissuers",
        "",
        ("secrets",),
        ("create", "update", "delete"),
    ),
    Without(
        "CAs are written into webhook configurations only; the other two injectors are switched off.",
        "clusterrole/cert-manager-cainjector",
        "apiregistration.k8s.io",
        ("apiservices",),
    ),
    Without(
        "As for APIServices.",
        "clusterrole/cert-manager-cainjector",
        "apiextensions.k8s.io",
        ("customresourcedefinitions",),
    ),
)
