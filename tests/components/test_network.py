"""NetworkPolicies, judged as Kubernetes does: which connection do they let through, and which not."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from components import callers, egress
from components.callers import Called
from components.documents import Document
from components.egress import Need
from components.flows import Addresses, Anybody, Flow, Pods, Surroundings, platform_flows
from components.namespaces import PLATFORM
from components.network import REASON, policies
from components.network_page import table

AROUND = Surroundings(
    api_server=(Addresses("API", ("192.0.2.10/32",), (6443,)), Addresses("API", ("10.96.0.1/32",), (443,))),
    webhook_callers=(Addresses("API", ("192.0.2.10/32",)),),
)
CHAT = Called("chat", "models", "Standard", "generate", ("apps/web",))
BATCH = Called("batch", "models", "Knative", "generate", ("apps/web",))
VAULT = Need("vault", "vault.corp", ("198.51.100.7/32",), 8200, "HTTPS", "Certificates are signed there.", ("models",))
IN_MESH = {"istio-injection": "enabled"}
NAMESPACES = {
    **{n: {} for n in (*PLATFORM, "kube-system", "elsewhere")},
    "knative-serving": IN_MESH,
    "models": IN_MESH,
    "apps": IN_MESH,
}


@dataclass(frozen=True)
class End:
    """A pod, or with ``address`` something that is none."""

    namespace: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    address: str = ""


GATEWAY = End("istio-system", {"istio": "ingressgateway"})
ISTIOD = End("istio-system", {"app": "istiod"})
ACTIVATOR = End("knative-serving", {"app": "activator"})
AUTOSCALER = End("knative-serving", {"app": "autoscaler"})
KNATIVE_WEBHOOK = End("knative-serving", {"app": "webhook"})
CNI = End("istio-cni", {"k8s-app": "istio-cni-node"})
MODEL = End("models", {"serving.kserve.io/inferenceservice": "chat"})
SERVERLESS = End("models", {"serving.kserve.io/inferenceservice": "batch"})
DNS = End("kube-system", {"k8s-app": "kube-dns"})
CALLER = End("apps", {"app": "web"})
STRANGER = End("elsewhere", {"app": "x"})
API_SERVER = End(address="192.0.2.10")
CLIENT = End(address="203.0.113.5")


def made() -> list[Document]:
    flows = [*platform_flows(AROUND, ["models"]), *callers.flows([CHAT, BATCH]), *egress.flows([VAULT], AROUND.dns)]
    return policies([*PLATFORM, "models"], flows)


def may(source: End, target: End, port: int, protocol: str = "TCP") -> bool:
    """Whether both ends let the connection through (kubernetes.io, NetworkPolicy)."""
    return _let(source, target, port, protocol, "Egress") and _let(target, source, port, protocol, "Ingress")


def _let(own: End, other: End, port: int, protocol: str, way: str) -> bool:
    isolating = [p["spec"] for p in made() if _isolates(p, own, way)]
    return not isolating or any(
        _peer_matches(rule.get("to" if way == "Egress" else "from"), other, own)
        and {"protocol": protocol, "port": port} in rule["ports"]
        for spec in isolating
        for rule in spec.get(way.lower(), [])
    )


def _isolates(policy: Document, end: End, way: str) -> bool:
    spec = policy["spec"]
    here = policy["metadata"]["namespace"] == end.namespace and not end.address
    return here and way in spec["policyTypes"] and _selects(spec["podSelector"], end.labels)


def _peer_matches(peers: list[dict[str, Any]] | None, other: End, own: End) -> bool:
    return peers is None or any(_is(peer, other, own) for peer in peers)


def _is(peer: dict[str, Any], other: End, own: End) -> bool:
    if "ipBlock" in peer:
        block = ipaddress.ip_network(peer["ipBlock"]["cidr"])
        return bool(other.address) and ipaddress.ip_address(other.address) in block
    if other.address:
        return False
    labels = {**NAMESPACES[other.namespace], "kubernetes.io/metadata.name": other.namespace}
    namespace = peer.get("namespaceSelector", {"matchLabels": {"kubernetes.io/metadata.name": own.namespace}})
    return _selects(namespace, labels) and _selects(peer.get("podSelector", {}), other.labels)


def _selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    exact = selector.get("matchLabels", {}).items() <= labels.items()
    return exact and all(labels.get(e["key"]) in e["values"] for e in selector.get("matchExpressions", []))


OPEN = [
    ("clients come in by HTTPS", CLIENT, GATEWAY, 443),
    ("the gateway reaches a model", GATEWAY, MODEL, 8080),
    ("the gateway reaches queue-proxy", GATEWAY, SERVERLESS, 8012),
    ("the gateway reaches the activator", GATEWAY, ACTIVATOR, 8012),
    ("the activator reaches queue-proxy", ACTIVATOR, SERVERLESS, 8012),
    ("the activator reports to the autoscaler", ACTIVATOR, AUTOSCALER, 8080),
    ("an autoscaler passes a report on", AUTOSCALER, AUTOSCALER, 8080),
    ("the autoscaler reads queue-proxy's metrics", AUTOSCALER, SERVERLESS, 9090),
    ("the autoscaler asks the activator", AUTOSCALER, ACTIVATOR, 8012),
    ("a model's proxy gets its certificate", MODEL, ISTIOD, 15012),
    ("a caller's proxy gets its certificate", CALLER, ISTIOD, 15012),
    ("the gateway gets its certificate", GATEWAY, ISTIOD, 15012),
    ("net-istio probes the gateway", End("knative-serving", {"app": "net-istio-controller"}), GATEWAY, 443),
    ("istiod reaches the API server", ISTIOD, API_SERVER, 6443),
    ("Knative reaches the API server", KNATIVE_WEBHOOK, API_SERVER, 6443),
    ("Knative reaches the API server's Service", KNATIVE_WEBHOOK, End(address="10.96.0.1"), 443),
    ("the CNI plugin reaches the API server", CNI, API_SERVER, 6443),
    ("the API server asks Knative's webhook", API_SERVER, KNATIVE_WEBHOOK, 8443),
    ("the API server asks istiod", API_SERVER, ISTIOD, 15017),
    ("a named caller reaches its model", CALLER, MODEL, 8080),
    ("a named caller reaches the activator", CALLER, ACTIVATOR, 8012),
    ("a named caller reaches its serverless model", CALLER, SERVERLESS, 8012),
    ("a named need is open", MODEL, End(address="198.51.100.7"), 8200),
]
SHUT = [
    ("plaintext at the gateway", CLIENT, GATEWAY, 80),
    ("the gateway's status port", STRANGER, GATEWAY, 15021),
    ("the local gateway's old port", CALLER, GATEWAY, 8081),
    ("a stranger to a model", STRANGER, MODEL, 8080),
    ("a caller past queue-proxy", CALLER, SERVERLESS, 8080),
    ("a caller to a model's metrics", CALLER, SERVERLESS, 9090),
    ("a model to another", MODEL, SERVERLESS, 8012),
    ("a model to the API server", MODEL, API_SERVER, 6443),
    ("a model to the API server's Service", MODEL, End(address="10.96.0.1"), 443),
    ("a model to a metadata address", MODEL, End(address="169.254.169.254"), 80),
    ("a model to anywhere", MODEL, End(address="198.51.100.8"), 443),
    ("a model to its need on another port", MODEL, End(address="198.51.100.7"), 443),
    ("the gateway to a model's need", GATEWAY, End(address="198.51.100.7"), 8200),
    ("a model to istiod's plaintext port", MODEL, ISTIOD, 15010),
    ("a model to istiod's debug port", MODEL, ISTIOD, 8080),
    ("a caller to Knative's webhook", CALLER, KNATIVE_WEBHOOK, 8443),
    ("anybody to istiod's webhook", CLIENT, ISTIOD, 15017),
    ("the mesh to istiod's webhook", CALLER, ISTIOD, 15017),
    ("a model to the activator", MODEL, ACTIVATOR, 8012),
    ("the gateway to the API server", GATEWAY, API_SERVER, 6443),
    ("a stranger to the autoscaler", STRANGER, AUTOSCALER, 8080),
    ("anything to the CNI plugin", STRANGER, CNI, 15014),
]


@pytest.mark.parametrize(("source", "target", "port"), [c[1:] for c in OPEN], ids=[c[0] for c in OPEN])
def test_what_is_needed_is_open(source: End, target: End, port: int) -> None:
    assert may(source, target, port)


@pytest.mark.parametrize(("source", "target", "port"), [c[1:] for c in SHUT], ids=[c[0] for c in SHUT])
def test_everything_else_is_shut(source: End, target: End, port: int) -> None:
    assert not may(source, target, port)


@pytest.mark.parametrize("protocol", ["TCP", "UDP"])
def test_proxies_resolve_names_and_controllers_need_none(protocol: str) -> None:
    assert all(may(end, DNS, 53, protocol) for end in (MODEL, GATEWAY, ACTIVATOR, AUTOSCALER))
    assert not any(may(end, DNS, 53, protocol) for end in (CNI, KNATIVE_WEBHOOK, End("kserve"), End("cert-manager")))


def test_every_namespace_denies_both_ways_by_default() -> None:
    denied = {p["metadata"]["namespace"]: p["spec"] for p in made() if p["metadata"]["name"] == "default-deny"}
    assert set(denied) == {*PLATFORM, "models"}
    assert all(s == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]} for s in denied.values())


def test_every_policy_says_why_it_is_there() -> None:
    assert all(len(p["metadata"]["annotations"][REASON]) > 20 for p in made())


def test_no_two_policies_have_one_name() -> None:
    names = [(p["metadata"]["namespace"], p["metadata"]["name"]) for p in made()]
    assert len(set(names)) == len(names)


def openings(flow: Flow) -> Iterator[dict[str, Any]]:
    for policy in policies(["a"], [flow])[1:]:
        yield from policy["spec"].get("ingress", []) + policy["spec"].get("egress", [])


@pytest.mark.parametrize("nobody", [(), (Addresses("none", ()),)], ids=["no peer", "no address"])
def test_a_flow_with_nobody_at_its_other_end_opens_nothing(nobody: tuple[Addresses, ...]) -> None:
    assert list(openings(Flow("f", (Pods("a"),), nobody, (1,), "a reason"))) == []
    assert list(openings(Flow("f", nobody, (Pods("a"),), (1,), "a reason"))) == []


def test_only_anybody_means_anybody() -> None:
    [rule] = openings(Flow("f", (Anybody(),), (Pods("a"),), (1,), "a reason"))
    assert rule == {"ports": [{"protocol": "TCP", "port": 1}]}


def test_a_peer_with_a_port_of_its_own_is_reached_there_alone() -> None:
    around = Surroundings(AROUND.api_server, AROUND.webhook_callers, (Pods("dns", "app", ("d",), (5353,)),))
    [flow] = [f for f in platform_flows(around, ["models"]) if f.name == "dns"]
    ports = {
        p["port"] for policy in policies(["models"], [flow])[1:] for r in policy["spec"]["egress"] for p in r["ports"]
    }
    assert ports == {5353}


def test_the_page_about_flows_says_what_the_code_says() -> None:
    written = (Path(__file__).parents[2] / "docs" / "network.md").read_text()
    assert f"\n\n{table()}\n" in written, "put there what python -m components.network_page prints"
