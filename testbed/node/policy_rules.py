"""From pods, namespaces and policies to the text of nftables rules. Pure: the same input gives the same text."""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from . import content
from .policy_model import Labels, Network, Peer, Pod, Policy, Port, Rule

_ANYWHERE = Network("0.0.0.0/0")


@dataclass(frozen=True)
class State:
    """What the rules are made of; ``namespaces`` maps a namespace to its labels."""

    pods: list[Pod]
    namespaces: dict[str, Labels]
    policies: list[Policy]


def render(state: State) -> str:
    """Text for ``nft -f`` that replaces the whole table in one transaction.

    Pods that the same policies isolate share a chain, which returns what a rule allows and refuses the rest.
    """
    chains: dict[str, list[str]] = {}
    hooks: dict[str, list[str]] = {"Egress": [], "Ingress": []}
    for direction in ("Egress", "Ingress"):
        jumps = []
        for number, (policies, addresses) in enumerate(_groups(state, direction)):
            name = f"{direction.lower()}-{number}"
            chains[name] = _allowed(state, policies, direction)
            jumps += [f"{address} : jump {name}" for address in addresses]
        if jumps:
            own = "saddr" if direction == "Egress" else "daddr"
            hooks[direction] = [f"ip {own} vmap {_braces(jumps)}"]
    known = [pod.address for pod in _sorted(state.pods)]
    return content.render(
        "network-policy.nft", known=known, chains=chains, egress=hooks["Egress"], ingress=hooks["Ingress"]
    )


def _groups(state: State, direction: Literal["Ingress", "Egress"]) -> list[tuple[list[Policy], list[str]]]:
    """The policies that isolate pods together, with the addresses of these pods."""
    groups: dict[tuple[int, ...], list[str]] = defaultdict(list)
    for pod in _sorted(state.pods):
        isolating = tuple(i for i, policy in enumerate(state.policies) if policy.isolates(pod, direction))
        if isolating:
            groups[isolating].append(pod.address)
    return [([state.policies[i] for i in key], groups[key]) for key in sorted(groups)]


def _allowed(state: State, policies: list[Policy], direction: str) -> list[str]:
    other = "daddr" if direction == "Egress" else "saddr"
    lines = [
        f"{_peers(state, rule, policy.namespace, other)}{port}return"
        for policy in policies
        for rule in (policy.egress if direction == "Egress" else policy.ingress)
        if not rule.peers or _networks(state, rule.peers, policy.namespace)
        for port in _ports(state, rule)
    ]
    return list(dict.fromkeys(lines))


def _peers(state: State, rule: Rule, namespace: str, side: str) -> str:
    if not rule.peers:
        return ""
    return f"ip {side} {_braces(map(str, _networks(state, rule.peers, namespace)))} "


def _networks(state: State, peers: list[Peer], namespace: str) -> list[Network]:
    networks = [network for peer in peers for network in _network(state, peer, namespace)]
    return [_ANYWHERE] if _ANYWHERE in networks else list(ipaddress.collapse_addresses(networks))


def _network(state: State, peer: Peer, namespace: str) -> list[Network]:
    if peer.ip_block:
        return peer.ip_block.networks()
    there = peer.namespace_selector
    return [
        Network(pod.address)
        for pod in _sorted(state.pods)
        if (there.selects(state.namespaces.get(pod.namespace, {})) if there else pod.namespace == namespace)
        and peer.pod_selector.selects(pod.labels)
    ]


def _ports(state: State, rule: Rule) -> list[str]:
    """Matches for the ports, one for each; a name that no pod has gives none."""
    return [match for port in rule.ports if (match := _port(state, port))] if rule.ports else [""]


def _port(state: State, port: Port) -> str:
    protocol = port.protocol.lower()
    if port.port is None:
        return f"meta l4proto {protocol} "
    if isinstance(port.port, int):
        return f"{protocol} dport {port.port}-{port.end_port or port.port} "
    named = {
        f"{pod.address} . {own.container_port}"
        for pod in state.pods
        for own in pod.ports
        if own.name == port.port and own.protocol == port.protocol
    }
    return f"ip daddr . {protocol} dport {_braces(sorted(named))} " if named else ""


def _sorted(pods: Iterable[Pod]) -> list[Pod]:
    return sorted(pods, key=lambda pod: ipaddress.ip_address(pod.address))


def _braces(items: Iterable[str]) -> str:
    return "{ " + ", ".join(items) + " }"
