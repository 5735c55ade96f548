"""cert-manager, and the site's own certificate authority."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from . import places
from .documents import Document
from .least_privilege.cert_manager import NO_ACME
from .manifests import Registered, register
from .site import Site

NAMESPACE = places.CERT_MANAGER
ISSUER = "sealift-ca"
"""The ClusterIssuer, and the Secret with the CA's key in the namespace of cert-manager."""


@dataclass(frozen=True)
class CertManagerArgs:
    """Where the chart comes from."""

    site: Site
    after: Sequence[pulumi.Resource] = ()


class CertManager(pulumi.ComponentResource):
    """cert-manager; a self-signed root; a ClusterIssuer ``sealift-ca`` that signs with it.

    ``ca_certificate`` is the root's public certificate (PEM); its key is never read.
    """

    registered: Registered
    ready: list[pulumi.Resource]
    """cert-manager itself, its webhooks answering."""
    issuer: list[pulumi.Resource]
    ca_certificate: pulumi.Output[str]

    def __init__(self, name: str, args: CertManagerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sealift:index:CertManager", name, None, opts)
        site = args.site
        part = register(site, site.documents("cert-manager", values()), self, args.after)
        root = register(site, [_issuer("sealift-root", {"selfSigned": {}})], self, part.ready, guarded=True)
        authority = register(site, [authority_certificate()], self, root.ready)
        issuer = register(site, [_issuer(ISSUER, {"ca": {"secretName": ISSUER}})], self, authority.ready)
        self.ready, self.issuer = root.ready, issuer.ready
        self.registered = Registered(part.objects | root.objects | authority.objects | issuer.objects, issuer.ready)
        made = authority.objects[f"certificate/{NAMESPACE}/{ISSUER}"]
        self.ca_certificate = made.id.apply(lambda _: site.cluster.certificate(NAMESPACE, ISSUER))
        self.register_outputs({"caCertificate": self.ca_certificate})


def values() -> dict[str, Any]:
    """Values of the chart: controllers whose rights are taken away do not run (least_privilege)."""
    kinds = ("apiservices", "customresourcedefinitions")
    return {
        "extraArgs": [f"--controllers={','.join(['*', *NO_ACME])}"],
        "cainjector": {"extraArgs": [f"--enable-{kind}-injectable=false" for kind in kinds]},
    }


def authority_certificate() -> Document:
    """The CA's own certificate: ten years, and its key outlives renewals so that what it signed stays valid."""
    return {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": {"name": ISSUER, "namespace": NAMESPACE},
        "spec": {
            "isCA": True,
            "commonName": "Sealift site CA",
            "secretName": ISSUER,
            "duration": "87600h0m0s",
            "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Never"},
            "issuerRef": {"name": "sealift-root", "kind": "ClusterIssuer", "group": "cert-manager.io"},
        },
    }


def _issuer(name: str, spec: dict[str, object]) -> Document:
    return {"apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer", "metadata": {"name": name}, "spec": spec}
