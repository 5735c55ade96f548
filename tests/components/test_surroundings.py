"""What the program reads of the cluster around the platform."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from components.flows import Addresses, Pods
from components.surroundings import calling, surroundings, user_namespaces
from mirror.errors import BadInput
from tests.components.harness import CLUSTER_ANSWERS, FakeCluster

_SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"


def cluster(**changes: object) -> FakeCluster:
    found = FakeCluster(answers=copy.deepcopy(CLUSTER_ANSWERS))
    node = found.answers["/api/v1/nodes"]["items"][0]
    for path, value in changes.items():
        place = node
        *parents, last = path.split("__")
        for parent in parents:
            place = place[parent]
        place[last] = value
    return found


def test_the_api_server_is_where_its_endpoints_say_and_at_its_service() -> None:
    around = surroundings(cluster())
    assert [(a.blocks, a.ports) for a in around.api_server] == [
        (("192.0.2.10/32",), (6443,)),
        (("10.96.0.1/32",), (443,)),
    ]


def test_it_calls_webhooks_from_its_node_and_from_the_nodes_end_of_the_pod_network() -> None:
    [callers] = surroundings(cluster()).webhook_callers
    assert isinstance(callers, Addresses)
    assert callers.blocks == ("192.0.2.10/32", "10.244.0.0/32", "10.244.0.1/32")


def test_an_overlays_device_counts_and_other_nodes_do_not() -> None:
    annotations = {"projectcalico.org/IPv4VXLANTunnelAddr": "10.9.0.1"}
    nodes = [
        {"metadata": {"annotations": annotations}, "spec": {}, "status": {"addresses": internal("192.0.2.10")}},
        {"metadata": {}, "spec": {"podCIDRs": ["10.244.7.0/24"]}, "status": {"addresses": internal("192.0.2.11")}},
    ]
    assert calling(nodes, ["192.0.2.10/32"]) == ["192.0.2.10", "10.9.0.1"]


def internal(address: str) -> list[dict[str, str]]:
    return [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": "n"}]


def test_what_a_stack_says_stands_instead() -> None:
    konnectivity = Pods("kube-system", "k8s-app", ("konnectivity-agent",))
    around = surroundings(
        cluster(), api_server=["2001:db8::1", "10.0.0.0/28"], callers=[konnectivity], dns=[Pods("dns")]
    )
    assert around.api_server[0].blocks == ("2001:db8::1/128", "10.0.0.0/28")
    assert around.webhook_callers == (konnectivity,)
    assert around.dns == (Pods("dns"),)


def test_a_cluster_that_does_not_say_where_its_api_server_is_stops_the_program() -> None:
    silent = cluster()
    silent.answers[_SLICES] = {"items": []}
    with pytest.raises(BadInput, match="no address"):
        surroundings(silent)


CONTROL_PLANE = [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]


@pytest.mark.parametrize(
    ("change", "can"),
    [
        ({}, True),
        ({"status__runtimeHandlers": [{"name": "", "features": {"userNamespaces": False}}]}, False),
        ({"status__runtimeHandlers": [{"name": "kata", "features": {"userNamespaces": True}}]}, False),
        ({"status__runtimeHandlers": None}, False),
        ({"spec__taints": CONTROL_PLANE}, False),
    ],
    ids=["it says so", "it cannot", "another handler can", "an old node says nothing", "no node takes pods"],
)
def test_a_node_can_give_user_namespaces_when_its_default_handler_says_so(change: dict[str, Any], can: bool) -> None:
    assert user_namespaces(cluster(**change)) is can


def test_one_node_that_cannot_is_enough_unless_it_takes_no_models() -> None:
    mixed = cluster()
    old = {"metadata": {}, "spec": {}, "status": {}}
    mixed.answers["/api/v1/nodes"]["items"].append(old)
    assert not user_namespaces(mixed)
    old["spec"] = {"taints": CONTROL_PLANE}
    assert user_namespaces(mixed)
