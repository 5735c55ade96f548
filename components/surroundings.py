"""What the program reads of the cluster around it: where the API server is, and what every node can do."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Any

from mirror.errors import BadInput

from .cluster import Cluster
from .documents import Document
from .flows import Addresses, Peer, Surroundings

_OF_THE_SERVICE = "labelSelector=kubernetes.io%2Fservice-name%3Dkubernetes"
_ENDPOINTS = f"/apis/discovery.k8s.io/v1/namespaces/default/endpointslices?{_OF_THE_SERVICE}"
_SERVICE = "/api/v1/namespaces/default/services/kubernetes"
_NODES = "/api/v1/nodes"
API_SERVER = "the API server"
# A host process that calls a pod of another node has the address of the overlay's device on its own node.
# Calico writes it on the node (docs.tigera.io); flannel and plain bridges take the first two of the node's pod range.
_TUNNELS = tuple(f"projectcalico.org/IPv{v}{d}" for v in "46" for d in ("VXLANTunnelAddr", "IPIPTunnelAddr"))


def surroundings(
    cluster: Cluster, *, api_server: Sequence[str] = (), callers: Sequence[Peer] = (), dns: Sequence[Peer] = ()
) -> Surroundings:
    """What lies around the platform in ``cluster``; what is given stands instead of what would be read.

    ``api_server`` are addresses or CIDR blocks. Raises BadInput when the cluster does not say where its API server is.
    """
    slices = cluster.read(_ENDPOINTS)["items"]
    found = [a for s in slices for e in s.get("endpoints") or [] for a in e["addresses"]]
    ports = tuple(sorted({int(p["port"]) for s in slices for p in s.get("ports") or []}))
    if not found or not ports:
        raise BadInput(
            "the cluster's API server",
            "EndpointSlice kubernetes in namespace default holds no address, so no policy could let pods reach it",
            "Look at: kubectl get endpointslices --namespace default; the API server writes it itself.",
        )
    spec = cluster.read(_SERVICE)["spec"]
    service = _blocks(spec.get("clusterIPs") or [spec["clusterIP"]])
    own = _blocks(api_server or found)
    reached = (
        Addresses(API_SERVER, own, ports),
        # Where a CNI judges a connection before a Service's address is replaced.
        Addresses(API_SERVER, service, tuple(sorted({int(p["port"]) for p in spec["ports"]}))),
    )
    hosts = _blocks([*own, *calling(cluster.read(_NODES)["items"], own)])
    return Surroundings(reached, tuple(callers) or (Addresses(API_SERVER, hosts),), *([tuple(dns)] if dns else []))


def calling(nodes: Iterable[Document], api_server: Sequence[str]) -> list[str]:
    """The further addresses that host processes of the API server's nodes have when they call a pod elsewhere."""
    blocks = [ipaddress.ip_network(b) for b in api_server]
    found: list[str] = []
    for node in nodes:
        inside = [a["address"] for a in node["status"].get("addresses", []) if a["type"] == "InternalIP"]
        if not any(_within(a, blocks) for a in inside):
            continue
        annotations = node["metadata"].get("annotations", {})
        found += [*inside, *(annotations[t] for t in _TUNNELS if annotations.get(t))]
        for text in node["spec"].get("podCIDRs") or []:
            pods = ipaddress.ip_network(text)
            found += [str(pods[0]), str(pods[1])]
    return found


def user_namespaces(cluster: Cluster) -> bool:
    """Whether every node that takes pods can give one a user namespace of its own (its runtime says so)."""
    nodes = [n for n in cluster.read(_NODES)["items"] if not _is_control_plane(n)]
    return bool(nodes) and all(_has_user_namespaces(n) for n in nodes)


def _is_control_plane(node: Document) -> bool:
    taints = node["spec"].get("taints") or []
    return any(
        t["key"] == "node-role.kubernetes.io/control-plane" and t["effect"] != "PreferNoSchedule" for t in taints
    )


def _has_user_namespaces(node: Document) -> bool:
    """By the default handler, which has no name (kubernetes.io, Node v1, status.runtimeHandlers)."""
    handlers: list[dict[str, Any]] = node["status"].get("runtimeHandlers") or []
    default = next((h for h in handlers if not h.get("name")), {})
    return bool((default.get("features") or {}).get("userNamespaces"))


def _blocks(texts: Iterable[str]) -> tuple[str, ...]:
    """In CIDR notation, each once, in the order given; an address is a block of one."""
    return tuple(dict.fromkeys(str(ipaddress.ip_network(t, strict=False)) for t in texts))


def _within(address: str, blocks: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    parsed = ipaddress.ip_address(address)
    return any(parsed in block for block in blocks)
