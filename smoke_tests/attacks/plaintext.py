"""Plaintext to every port of every Service of the platform and its models: all are tried, whatever they are called."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from smoke_tests.cluster import Cluster, Document

OPEN = {
    ("istio-ingressgateway", 15021): "says only whether the gateway is ready; load balancers ask it",
}
"""Ports that answer plaintext on purpose, by Service and port, and why that is no loss."""


@dataclass(frozen=True)
class Port:
    """A TCP port of a Service that has something behind it."""

    namespace: str
    service: str
    port: int
    """What is dialled: the Service's port, or the pods' own when it has no address of its own."""
    endpoints: int
    """Ready ones: what a refusal is held against, for a Service that nobody answers for refuses nothing."""

    @property
    def url(self) -> str:
        """In plaintext."""
        return f"http://{self.service}.{self.namespace}.svc.cluster.local:{self.port}/"

    def __str__(self) -> str:
        """As an id of a test."""
        return f"{self.service}.{self.namespace}:{self.port}"


def ports(cluster: Cluster, namespaces: Iterable[str]) -> list[Port]:
    """All with a Ready endpoint at this moment, in ``namespaces``."""
    return [p for n in namespaces for p in of_namespace(cluster.items("services", "-n", n), _slices(cluster, n), n)]


def of_namespace(services: list[Document], slices: list[Document], namespace: str) -> Iterator[Port]:
    """The ports of ``services`` that ``slices`` (EndpointSlices) have Ready endpoints for."""
    for service in services:
        name, spec = service["metadata"]["name"], service["spec"]
        ready = {
            port["name"]: sum(bool(e["conditions"].get("ready")) for e in piece.get("endpoints") or [])
            for piece in slices
            if piece["metadata"]["labels"].get("kubernetes.io/service-name") == name
            for port in piece.get("ports") or []
        }
        for port in spec.get("ports") or []:
            behind = ready.get(port.get("name", ""), 0)
            if port.get("protocol", "TCP") == "TCP" and behind and spec["type"] != "ExternalName":
                headless = spec.get("clusterIP") == "None"
                number = port.get("targetPort", port["port"]) if headless else port["port"]
                if isinstance(number, int):
                    yield Port(namespace, name, number, behind)


def _slices(cluster: Cluster, namespace: str) -> list[Document]:
    return cluster.items("endpointslices.discovery.k8s.io", "-n", namespace)
