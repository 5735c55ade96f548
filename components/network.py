"""NetworkPolicies: what is denied by default and which flows are let through.

The flows are the ones that the parts document: admission webhooks are called by the API server, whose address a
policy cannot know in general, so these ports are open to any peer and nothing else is. Proxies reach istiod on
15012. Gateways are the way in. Kubelet probes are always allowed by the NetworkPolicy rules of Kubernetes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .documents import Document

DNS = 53
ISTIOD_XDS = 15012

# Ports that the API server (webhooks) or pods anywhere in the mesh (istiod) call, by namespace and pod label.
_OPEN_TO_ALL: dict[str, list[tuple[dict[str, str], list[int]]]] = {
    "cert-manager": [({"app.kubernetes.io/name": "webhook"}, [10250])],
    "istio-system": [
        ({"app": "istiod"}, [ISTIOD_XDS, 15017]),
        ({"istio": "ingressgateway"}, [80, 443, 8081, 8444, 15021]),
    ],
    "knative-serving": [({"app": "webhook"}, [8443]), ({"app": "net-istio-webhook"}, [8443])],
    "kserve": [({"control-plane": "kserve-controller-manager"}, [9443])],
}
ACTIVATOR_PORTS = [8012, 8013]
MODEL_PORTS = [8012, 8013, 8080, 8112]
"""Of a model's pod: the model server (Standard), Knative's queue-proxy (HTTP/1, HTTP/2, TLS)."""
METRICS_PORTS = [9090, 9091]


def policy(name: str, namespace: str, spec: dict[str, Any]) -> Document:
    """The NetworkPolicy ``name``."""
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


def platform_policies() -> list[Document]:
    """Default-deny for what comes in to the platform's namespaces, and the flows that each part needs."""
    documents = []
    for namespace, flows in _OPEN_TO_ALL.items():
        documents.append(policy("default-deny-ingress", namespace, {"podSelector": {}, "policyTypes": ["Ingress"]}))
        for labels, ports in flows:
            name = "allow-" + next(iter(labels.values()))
            documents.append(policy(name, namespace, _ingress(labels, [{"ports": _tcp(ports)}])))
    in_mesh = [{"namespaceSelector": {"matchLabels": {"istio-injection": "enabled"}}}, _namespace("istio-system")]
    activator = {"from": in_mesh, "ports": _tcp(ACTIVATOR_PORTS)}
    autoscaler = {"from": [{"podSelector": {}}], "ports": _tcp([8080])}
    documents.append(policy("allow-activator", "knative-serving", _ingress({"app": "activator"}, [activator])))
    documents.append(policy("allow-autoscaler", "knative-serving", _ingress({"app": "autoscaler"}, [autoscaler])))
    return documents


def model_policies(namespace: str, callers: Sequence[str]) -> list[Document]:
    """For a tenant's namespace: nothing in and nothing out, but the gateway, Knative, DNS and istiod.

    ``callers`` are namespaces whose pods may call the models without the gateway.
    """
    sources = [_namespace(n) for n in ("istio-system", "knative-serving", *callers)] + [{"podSelector": {}}]
    incoming = [
        {"from": sources, "ports": _tcp(MODEL_PORTS)},
        {"from": [_namespace("knative-serving")], "ports": _tcp(METRICS_PORTS)},
    ]
    kube_dns = {**_namespace("kube-system"), "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}
    istiod = {**_namespace("istio-system"), "podSelector": {"matchLabels": {"app": "istiod"}}}
    dns_ports = [{"protocol": p, "port": DNS} for p in ("UDP", "TCP")]
    outgoing = [
        {"to": [kube_dns], "ports": dns_ports},
        {"to": [istiod], "ports": _tcp([ISTIOD_XDS])},
        {"to": [{"podSelector": {}}], "ports": _tcp(MODEL_PORTS)},
    ]
    both = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    return [
        policy("default-deny", namespace, both),
        policy("allow-model-traffic", namespace, {**both, "ingress": incoming, "egress": outgoing}),
    ]


def _ingress(labels: dict[str, str], rules: list[dict[str, Any]]) -> dict[str, Any]:
    return {"podSelector": {"matchLabels": labels}, "policyTypes": ["Ingress"], "ingress": rules}


def _namespace(name: str) -> dict[str, Any]:
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}


def _tcp(ports: Sequence[int]) -> list[dict[str, Any]]:
    return [{"protocol": "TCP", "port": p} for p in ports]
