"""NetworkPolicies: everything is denied both ways, then each flow is let through on the side of each end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .documents import Document
from .flows import Addresses, Anybody, Flow, Mesh, Peer, Pods

REASON = "kubernetes.io/description"
"""The annotation that says why an object is there (kubernetes.io, well-known annotations)."""
_DENIED = "Nothing comes in and nothing goes out but what another policy of this namespace lets through."


def policies(namespaces: Sequence[str], flows: Iterable[Flow]) -> list[Document]:
    """A default-deny for each of ``namespaces``, and for each end of a flow that lies in one of them an opening."""
    documents = [default_deny(n) for n in namespaces]
    for flow in flows:
        for pods in flow.sources:
            if isinstance(pods, Pods) and pods.namespace in namespaces:
                documents.append(_opening(flow, pods, "Egress", flow.targets))
        for pods in flow.targets:
            if isinstance(pods, Pods) and pods.namespace in namespaces:
                documents.append(_opening(flow, pods, "Ingress", flow.sources))
    return documents


def default_deny(namespace: str) -> Document:
    """The policy that isolates every pod of ``namespace``, both ways."""
    spec = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    return _policy("default-deny", namespace, _DENIED, spec)


def _opening(flow: Flow, pods: Pods, way: str, peers: tuple[Peer, ...]) -> Document:
    """At ``pods``: the connections of ``flow`` to or from ``peers``, one rule for all that share their ports."""
    leaving = way == "Egress"
    side, direction = ("to", "egress") if leaving else ("from", "ingress")
    by_ports: dict[tuple[int, ...], list[Peer]] = {}
    for peer in peers:
        by_ports.setdefault((peer if leaving else pods).ports or flow.ports, []).append(peer)
    rules: list[dict[str, Any]] = []
    for ports, sharing in by_ports.items():
        listed = [{"protocol": protocol, "port": port} for port in ports for protocol in flow.protocols]
        selected = [s for peer in sharing for s in selectors(peer)]
        if any(isinstance(peer, Anybody) for peer in sharing):
            rules.append({"ports": listed})
        elif selected:  # an empty list would mean everybody
            rules.append({side: selected, "ports": listed})
    spec = {"podSelector": _selector(pods), "policyTypes": [way], direction: rules}
    return _policy(f"allow-{flow.name}-{'out' if leaving else 'in'}", pods.namespace, flow.reason, spec)


def selectors(peer: Peer) -> list[dict[str, Any]]:
    """``peer`` in the words of a NetworkPolicy; nothing for anybody, for whom it has no word."""
    match peer:
        case Pods():
            namespace = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": peer.namespace}}}
            return [namespace | ({"podSelector": _selector(peer)} if peer.values else {})]
        case Mesh():
            return [{"namespaceSelector": {"matchLabels": {"istio-injection": "enabled"}}}]
        case Addresses():
            return [{"ipBlock": {"cidr": block}} for block in peer.blocks]
    return []


def _selector(pods: Pods) -> dict[str, Any]:
    match pods.values:
        case ():
            return {}
        case (value,):
            return {"matchLabels": {pods.key: value}}
    return {"matchExpressions": [{"key": pods.key, "operator": "In", "values": list(pods.values)}]}


def _policy(name: str, namespace: str, reason: str, spec: dict[str, Any]) -> Document:
    metadata = {"name": name, "namespace": namespace, "annotations": {REASON: reason}}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}
