"""The one way in: HTTPS for both domains on the ingress gateway, with certificates of the site's CA."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from .cert_manager import ISSUER
from .documents import Document
from .istio import GATEWAY, NAMESPACE
from .manifests import Registered, register
from .site import Site

CERTIFICATE = "sealift-gateway-tls"
GATEWAY_NAME = "kserve-ingress-gateway"


def serverless_domain(domain: str) -> str:
    """The domain of models in Knative mode: one of their own, because two wildcards cannot share a listener's SNI."""
    return f"serverless.{domain}"


@dataclass(frozen=True)
class IngressArgs:
    """The domain that the gateway answers for."""

    site: Site
    domain: str
    """Models are ``<name>-<namespace>.<domain>`` and ``<name>-predictor-<namespace>.serverless.<domain>``."""
    after: Sequence[pulumi.Resource] = ()


class Ingress(pulumi.ComponentResource):
    """The wildcard certificate and the Gateway that KServe's routes attach to."""

    registered: Registered

    def __init__(self, name: str, args: IngressArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sealift:index:Ingress", name, None, opts)
        documents = [certificate(args.domain), gateway(args.domain)]
        self.registered = register(args.site, documents, self, args.after)
        self.register_outputs({"domain": args.domain})


def certificate(domain: str) -> Document:
    """One certificate for both wildcards."""
    names = [f"*.{domain}", f"*.{serverless_domain(domain)}"]
    return {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": {"name": CERTIFICATE, "namespace": NAMESPACE},
        "spec": {
            "secretName": CERTIFICATE,
            "dnsNames": names,
            "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
            "issuerRef": {"name": ISSUER, "kind": "ClusterIssuer", "group": "cert-manager.io"},
        },
    }


def gateway(domain: str) -> Document:
    """The Gateway on the pods that already run (Istio calls this a manual deployment: it names their Service)."""
    address = {"type": "Hostname", "value": f"{GATEWAY}.{NAMESPACE}.svc.cluster.local"}
    listener = {
        "name": "https",
        "port": 443,
        "protocol": "HTTPS",
        "hostname": f"*.{domain}",
        "tls": {"mode": "Terminate", "certificateRefs": [{"kind": "Secret", "group": "", "name": CERTIFICATE}]},
        "allowedRoutes": {
            "namespaces": {"from": "Selector", "selector": {"matchLabels": {"istio-injection": "enabled"}}}
        },
    }
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {
            "name": GATEWAY_NAME,
            "namespace": NAMESPACE,
            "annotations": {"pulumi.com/waitFor": "condition=Programmed"},
        },
        "spec": {"gatewayClassName": "istio", "addresses": [address], "listeners": [listener]},
    }
