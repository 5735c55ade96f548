"""NetworkPolicy becomes rules as the API's documentation has it."""

from pathlib import Path
from typing import Any

import pytest

from testbed.node import leases
from testbed.node.policy_enforcer import state
from testbed.node.policy_model import Block, NamedPort, Pod, Policy, Selector
from testbed.node.policy_rules import State, render

SERVER = Pod(
    namespace="a",
    name="server",
    address="10.244.0.10",
    labels={"app": "server"},
    ports=[NamedPort(name="http", container_port=8080)],
)
CLIENT = Pod(namespace="a", name="client", address="10.244.0.9", labels={"app": "client"})
OTHER = Pod(namespace="b", name="other", address="10.244.0.4", labels={"app": "client"})


def rules(*policies: dict[str, Any]) -> str:
    parsed = [Policy.model_validate({"metadata": {"namespace": "a"}, "spec": spec}) for spec in policies]
    return render(State([SERVER, CLIENT, OTHER], {"a": {}, "b": {"team": "b"}}, parsed))


def chain(text: str, name: str) -> list[str]:
    body = text.partition(f"chain {name} {{\n")[2].partition("\n  }")[0]
    return [line.strip() for line in body.splitlines()]


def test_without_policies_nobody_is_isolated() -> None:
    assert "vmap" not in rules()


def test_a_new_pod_is_refused_until_it_is_known() -> None:
    assert "ip saddr 10.244.0.0/24 ip saddr != @known fib saddr type != local goto refuse" in rules()
    assert "elements = { 10.244.0.4, 10.244.0.9, 10.244.0.10 }" in rules()


def test_default_deny_isolates_the_pods_of_its_own_namespace_alone() -> None:
    text = rules({"podSelector": {}, "policyTypes": ["Ingress"]})
    assert "ip daddr vmap { 10.244.0.9 : jump ingress-0, 10.244.0.10 : jump ingress-0 }" in text
    assert chain(text, "ingress-0") == ["goto refuse"]
    assert "egress-0" not in text


def test_a_pod_selector_means_pods_of_the_same_namespace() -> None:
    peer = {"podSelector": {"matchLabels": {"app": "client"}}}
    text = rules({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": [peer]}]})
    assert chain(text, "ingress-0") == ["ip saddr { 10.244.0.9/32 } return", "goto refuse"]


def test_namespace_and_pod_selector_in_one_peer_must_both_hold() -> None:
    team = {"matchExpressions": [{"key": "team", "operator": "In", "values": ["b"]}]}
    for labels, lines in (
        ({"app": "client"}, ["ip saddr { 10.244.0.4/32 } return", "goto refuse"]),
        ({"app": "server"}, ["goto refuse"]),
    ):
        peer = {"namespaceSelector": team, "podSelector": {"matchLabels": labels}}
        text = rules({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": [peer]}]})
        assert chain(text, "ingress-0") == lines


def test_an_empty_rule_allows_everything() -> None:
    assert chain(rules({"podSelector": {}, "ingress": [{}]}), "ingress-0") == ["return", "goto refuse"]


@pytest.mark.parametrize(
    ("port", "match"),
    [
        ({"port": 80}, "tcp dport 80-80 return"),
        ({"port": 80, "endPort": 90, "protocol": "UDP"}, "udp dport 80-90 return"),
        ({"protocol": "UDP"}, "meta l4proto udp return"),
        ({"port": "http"}, "ip daddr . tcp dport { 10.244.0.10 . 8080 } return"),
    ],
)
def test_a_port_is_a_number_a_range_a_protocol_or_a_name(port: dict[str, Any], match: str) -> None:
    text = rules({"podSelector": {}, "ingress": [{"ports": [port]}]})
    assert chain(text, "ingress-0") == [match, "goto refuse"]


def test_a_port_name_that_no_pod_has_allows_nothing() -> None:
    assert chain(rules({"podSelector": {}, "ingress": [{"ports": [{"port": "x"}]}]}), "ingress-0") == ["goto refuse"]


def test_egress_is_judged_towards_the_node_too() -> None:
    text = rules({"podSelector": {"matchLabels": {"app": "server"}}, "policyTypes": ["Egress"]})
    for hook in ("forward", "input"):
        assert "ip saddr vmap { 10.244.0.10 : jump egress-0 }" in chain(text, hook)


def test_policies_for_one_pod_add_up() -> None:
    text = rules({"podSelector": {}}, {"podSelector": {"matchLabels": {"app": "server"}}, "ingress": [{}]})
    assert "10.244.0.9 : jump ingress-0, 10.244.0.10 : jump ingress-1" in text
    assert chain(text, "ingress-1") == ["return", "goto refuse"]


def test_exceptions_are_cut_out_of_a_block_and_ipv6_gives_nothing() -> None:
    cut = Block.model_validate({"cidr": "10.0.0.0/30", "except": ["10.0.0.2/32", "fd00::/8"]}).networks()
    assert [str(network) for network in cut] == ["10.0.0.0/31", "10.0.0.3/32"]
    assert Block.model_validate({"cidr": "10.0.0.0/30", "except": ["10.0.0.0/8"]}).networks() == []
    assert Block(cidr="::/0").networks() == []


@pytest.mark.parametrize(
    ("operator", "values", "selected"),
    [
        ("In", ["x"], [True, False, False]),
        ("NotIn", ["x"], [False, True, True]),
        ("Exists", [], [True, True, False]),
        ("DoesNotExist", [], [False, False, True]),
    ],
)
def test_selector_expressions(operator: str, values: list[str], selected: list[bool]) -> None:
    expression = {"key": "k", "operator": operator, "values": values}
    selector = Selector.model_validate({"matchExpressions": [expression]})
    assert [selector.selects(labels) for labels in ({"k": "x"}, {"k": "y"}, {})] == selected


def pod(**status: str) -> dict[str, Any]:
    return {"metadata": {"namespace": "a", "name": "p"}, "spec": {"containers": [{}]}, "status": status}


def test_a_pod_has_its_leased_address_before_the_api_server_knows_it() -> None:
    known = {"pods": {"a/p": pod(phase="Pending")}, "namespaces": {}, "policies": {}}
    leased = frozenset({leases.Lease(namespace="a", name="p", address="10.244.0.7")})
    assert [p.address for p in state(known, leased).pods] == ["10.244.0.7"]
    assert state(known, frozenset()).pods == []


def test_pods_that_have_ended_or_use_the_host_network_have_no_address_of_their_own() -> None:
    assert Pod.of(pod(podIP="10.244.0.7", phase="Succeeded"), None) is None
    assert Pod.of(pod(podIP="10.77.0.2") | {"spec": {"hostNetwork": True, "containers": []}}, None) is None


def test_leases_are_read_from_the_records_of_the_cni_library(tmp_path: Path) -> None:
    arguments = '[["IgnoreUnknown","1"],["K8S_POD_NAMESPACE","a"],["K8S_POD_NAME","p"]]'
    whole = f'{{"ifName":"eth0","cniArgs":{arguments},"result":{{"ips":[{{"address":"10.244.0.7/24"}}]}}}}'
    (tmp_path / "one").write_text(whole)
    (tmp_path / "half-written").write_text(whole[:30])
    (tmp_path / "loopback").write_text(whole.replace("eth0", "lo"))
    assert leases.current(tmp_path) == {leases.Lease(namespace="a", name="p", address="10.244.0.7")}
    assert leases.current(tmp_path / "none") == frozenset()


def test_records_are_read_again_when_one_comes_or_goes(tmp_path: Path) -> None:
    records = leases.Records(tmp_path / "cache")
    assert records.look() == frozenset()
    (tmp_path / "cache").mkdir()
    arguments = '[["K8S_POD_NAMESPACE","a"],["K8S_POD_NAME","p"]]'
    record = tmp_path / "cache" / "one"
    record.write_text(f'{{"ifName":"eth0","cniArgs":{arguments},"result":{{"ips":[{{"address":"10.244.0.7/24"}}]}}}}')
    assert [lease.address for lease in records.look()] == ["10.244.0.7"]
    record.unlink()
    assert records.look() == frozenset()
