"""The keys about the network around the platform."""

from __future__ import annotations

from typing import Any

import pytest

from components.flows import Addresses, Pods
from mirror.errors import BadInput
from stacks import config
from stacks.surroundings import peers


def read(**values: object) -> config.StackConfig:
    return config.read({"receipt": "r.json", **values}, "test")


NEED = {
    "name": "vault",
    "host": "vault.corp",
    "addresses": ["198.51.100.7"],
    "port": 8200,
    "protocol": "HTTPS",
    "reason": "Certificates are signed there.",
    "namespaces": ["models"],
}


def test_nothing_outside_is_reached_unless_a_stack_names_it() -> None:
    assert read().egress == []


def test_a_named_need_is_taken() -> None:
    [need] = [e.need() for e in read(egress=[NEED]).egress]
    assert need.addresses == ("198.51.100.7/32",)


def test_a_host_that_is_an_address_says_where_it_answers() -> None:
    [entry] = read(egress=[{**NEED, "host": "198.51.100.9", "addresses": []}]).egress
    assert entry.need().addresses == ("198.51.100.9/32",)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"addresses": []}, "say the addresses of vault.corp"),
        ({"addresses": ["0.0.0.0/0"]}, "every address there is"),
        ({"reason": "short"}, "reason"),
        ({"namespaces": []}, "namespaces"),
    ],
    ids=["no address", "all addresses", "no reason to speak of", "nobody"],
)
def test_a_need_that_says_too_little_or_too_much_is_refused(change: dict[str, Any], why: str) -> None:
    with pytest.raises(BadInput, match=why):
        read(egress=[{**NEED, **change}])


def test_two_needs_of_one_name_are_refused() -> None:
    with pytest.raises(BadInput, match="more than once"):
        read(egress=[NEED, NEED])


def test_callers_of_webhooks_are_addresses_or_pods() -> None:
    given = read(webhookCallers=["10.0.0.1", {"namespace": "kube-system", "label": "k8s-app=konnectivity-agent"}])
    assert peers(given.webhookCallers, "callers") == [
        Pods("kube-system", "k8s-app", ("konnectivity-agent",)),
        Addresses("callers", ("10.0.0.1/32",)),
    ]


def test_dns_may_listen_on_another_port() -> None:
    given = read(dns=[{"namespace": "openshift-dns", "label": "dns=default", "port": 5353}])
    assert peers(given.dns, "DNS") == [Pods("openshift-dns", "dns", ("default",), (5353,))]


def test_a_model_whose_name_could_be_taken_for_a_revision_is_refused() -> None:
    model = {"name": "a-predictor-b", "model": "tiny", "runtime": "vllm-cpu"}
    with pytest.raises(BadInput, match="-predictor-"):
        read(models=[model])
