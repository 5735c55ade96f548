"""Named needs of the outside: each is opened in the mesh's registry and in the NetworkPolicies, and nothing else is."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from .documents import Document
from .flows import Addresses, Flow, Peer, Pods
from .network import REASON

Protocol = Literal["HTTPS", "HTTP", "TCP"]


@dataclass(frozen=True)
class Need:
    """Something outside the cluster that pods of ``namespaces`` may reach."""

    name: str
    host: str
    """Its name or address."""
    addresses: tuple[str, ...]
    """CIDR blocks that it answers at: a NetworkPolicy knows no names."""
    port: int
    protocol: Protocol
    reason: str
    namespaces: tuple[str, ...]


def flows(needs: Sequence[Need], dns: tuple[Peer, ...]) -> list[Flow]:
    """The connections to open: to each need, and to ``dns`` from where one is called by a name."""
    found = []
    for need in needs:
        sources = tuple(Pods(n) for n in need.namespaces)
        target = Addresses(need.host, need.addresses)
        found.append(Flow(f"egress-{need.name}", sources, (target,), (need.port,), need.reason))
        if not is_address(need.host):
            reason = f"{need.host} is called by its name."
            found.append(Flow(f"egress-{need.name}-dns", sources, dns, (53,), reason, ("UDP", "TCP")))
    return found


def service_entries(needs: Sequence[Need], in_mesh: Sequence[str]) -> list[Document]:
    """One ServiceEntry for each need and namespace of ``in_mesh`` that has it, seen from that namespace alone."""
    return [_service_entry(need, n) for need in needs for n in need.namespaces if n in in_mesh]


def _service_entry(need: Need, namespace: str) -> Document:
    spec = {
        "exportTo": ["."],
        "location": "MESH_EXTERNAL",
        "ports": [{"number": need.port, "name": need.protocol.lower(), "protocol": need.protocol}],
    }
    if is_address(need.host):
        # A host must be a name even where only the address counts; this one is nobody's (RFC 6761, invalid).
        spec |= {"hosts": [f"{need.name}.invalid"], "addresses": list(need.addresses), "resolution": "NONE"}
    else:
        spec |= {"hosts": [need.host], "resolution": "DNS"}
    metadata = {"name": f"egress-{need.name}", "namespace": namespace, "annotations": {REASON: need.reason}}
    return {"apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry", "metadata": metadata, "spec": spec}


def is_address(host: str) -> bool:
    """Whether ``host`` is an IP address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
