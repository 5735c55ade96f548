"""Named needs of the outside."""

from __future__ import annotations

from components.egress import Need, flows, service_entries
from components.flows import Pods

VAULT = Need("vault", "vault.corp", ("198.51.100.7/32",), 8200, "HTTPS", "Certificates.", ("models", "cert-manager"))
BARE = Need("bare", "198.51.100.9", ("198.51.100.9/32",), 5432, "TCP", "A database.", ("models",))
DNS = (Pods("kube-system"),)


def test_a_need_is_known_to_the_mesh_where_it_is_named_and_nowhere_else() -> None:
    [entry] = service_entries([VAULT], ["models", "other"])
    assert entry["metadata"]["namespace"] == "models"
    assert entry["spec"]["exportTo"] == ["."]
    assert (entry["spec"]["hosts"], entry["spec"]["ports"][0]["number"]) == (["vault.corp"], 8200)


def test_a_namespace_outside_the_mesh_gets_the_networks_opening_alone() -> None:
    flow, names = flows([VAULT], DNS)
    assert (names.targets, names.ports) == (DNS, (53,))
    assert {str(s) for s in flow.sources} == {"models: all pods", "cert-manager: all pods"}


def test_an_address_is_known_by_its_address() -> None:
    [entry] = service_entries([BARE], ["models"])
    assert entry["spec"]["addresses"] == ["198.51.100.9/32"]
    assert entry["spec"]["resolution"] == "NONE"
    assert entry["spec"]["hosts"] == ["bare.invalid"]
    assert [f.name for f in flows([BARE], DNS)] == ["egress-bare"]


def test_without_a_need_there_is_nothing() -> None:
    assert (flows([], DNS), service_entries([], ["models"])) == ([], [])
