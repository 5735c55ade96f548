"""NetworkPolicy and the pods it is about, as values; parsed from what the API server answers."""

from __future__ import annotations

import ipaddress
from typing import Any, Literal, Self

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

Labels = dict[str, str]
Network = ipaddress.IPv4Network


class _Api(BaseModel):
    """A part of an API object; fields that play no role here are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)


class Requirement(_Api):
    """One of a selector's matchExpressions."""

    key: str
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: list[str] = []

    def holds(self, labels: Labels) -> bool:
        """Whether it holds for ``labels``; NotIn holds too when there is no such label."""
        match self.operator:
            case "In":
                return labels.get(self.key) in self.values
            case "NotIn":
                return labels.get(self.key) not in self.values
            case "Exists":
                return self.key in labels
            case "DoesNotExist":
                return self.key not in labels


class Selector(_Api):
    """A LabelSelector; the empty one selects everything."""

    match_labels: Labels = {}
    match_expressions: list[Requirement] = []

    def selects(self, labels: Labels) -> bool:
        """Whether all of it holds for ``labels``."""
        equal = all(labels.get(key) == value for key, value in self.match_labels.items())
        return equal and all(requirement.holds(labels) for requirement in self.match_expressions)


class Block(_Api):
    """An ipBlock."""

    cidr: str
    exceptions: list[str] = Field([], alias="except")

    def networks(self) -> list[Network]:
        """The networks that remain when the exceptions are cut out; IPv6 gives none."""
        block = ipaddress.ip_network(self.cidr, strict=False)
        networks = [block] if isinstance(block, Network) else []
        for text in self.exceptions:
            out = ipaddress.ip_network(text, strict=False)
            if isinstance(out, Network):
                networks = [rest for network in networks for rest in _without(network, out)]
        return networks


class Peer(_Api):
    """Who a rule is about: a block of addresses, or pods by namespace and labels."""

    pod_selector: Selector = Selector()
    namespace_selector: Selector | None = None
    ip_block: Block | None = None


class Port(_Api):
    """A port of a rule: a number, a range up to ``end_port``, a container port's name, or a protocol alone."""

    protocol: Literal["TCP", "UDP", "SCTP"] = "TCP"
    port: int | str | None = None
    end_port: int | None = None


class Rule(_Api):
    """What is allowed: from or to one of ``peers`` (none: everybody) on one of ``ports`` (none: all)."""

    peers: list[Peer] = Field([], validation_alias=AliasChoices("from", "to", "peers"))
    ports: list[Port] = []


class Policy(_Api):
    """A NetworkPolicy with its namespace."""

    namespace: str
    pod_selector: Selector = Selector()
    policy_types: list[Literal["Ingress", "Egress"]] = ["Ingress"]
    ingress: list[Rule] = []
    egress: list[Rule] = []

    @model_validator(mode="before")
    @classmethod
    def _of_object(cls, document: Any) -> Any:  # noqa: ANN401 - whatever the API server answers
        if "metadata" not in document:
            return document
        return {"namespace": document["metadata"]["namespace"]} | document["spec"]

    def isolates(self, pod: Pod, direction: Literal["Ingress", "Egress"]) -> bool:
        """Whether it isolates ``pod`` for ``direction``."""
        mine = self.namespace == pod.namespace and self.pod_selector.selects(pod.labels)
        return mine and direction in self.policy_types


class NamedPort(_Api):
    """A container port that has a name."""

    name: str
    protocol: str = "TCP"
    container_port: int


class Pod(_Api):
    """A pod that has an address of its own."""

    namespace: str
    name: str
    address: str
    labels: Labels = {}
    ports: list[NamedPort] = []

    @classmethod
    def of(cls, document: dict[str, Any], leased: str | None) -> Self | None:
        """The pod of an API object, None when it has no own address (host network, ended, none yet).

        ``leased`` is its address by the CNI's records, known before the API server knows it.
        """
        metadata, spec, status = document["metadata"], document["spec"], document.get("status", {})
        address = status.get("podIP") or leased
        if not address or spec.get("hostNetwork") or status.get("phase") in ("Succeeded", "Failed"):
            return None
        sidecars = [c for c in spec.get("initContainers", []) if c.get("restartPolicy") == "Always"]
        ports = [port for c in spec["containers"] + sidecars for port in c.get("ports", []) if "name" in port]
        known = {"namespace": metadata["namespace"], "name": metadata["name"], "address": address}
        return cls.model_validate(known | {"labels": metadata.get("labels", {}), "ports": ports})


def _without(network: Network, out: Network) -> list[Network]:
    if out.subnet_of(network):
        return list(network.address_exclude(out))
    return [] if network.subnet_of(out) else [network]
