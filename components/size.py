"""How much of a node the platform asks for. ``small`` fits platform and models on two cores; limits stay upstream's."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from .documents import Document

SizeName = Literal["small", "standard"]
_WORKLOADS = frozenset({"Deployment", "DaemonSet", "StatefulSet"})
_UNITS = {"m": Decimal("0.001"), "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30)}


@dataclass(frozen=True)
class Size:
    """What pods may request at most, and how often the parts run. Quantities are Kubernetes'."""

    name: SizeName
    replicas: int
    """Of istiod, the ingress gateway, and Knative's activator and webhook."""
    request_cpu: str | None
    """The most CPU that a container of the platform requests; None leaves upstream's."""
    request_memory: str | None
    proxy_cpu: str
    proxy_memory: str
    runtime_cpu: str
    """What a model server requests when its model does not say."""
    runtime_memory: str
    runtime_memory_limit: str
    kv_cache_gib: int
    """vLLM's key-value cache on a CPU, in GiB."""


SIZES: dict[SizeName, Size] = {
    "small": Size(
        name="small",
        replicas=1,
        request_cpu="20m",
        request_memory="64Mi",
        proxy_cpu="10m",
        proxy_memory="64Mi",
        runtime_cpu="100m",
        runtime_memory="3Gi",
        runtime_memory_limit="6Gi",
        kv_cache_gib=1,
    ),
    "standard": Size(
        name="standard",
        replicas=2,
        request_cpu=None,
        request_memory=None,
        proxy_cpu="100m",
        proxy_memory="128Mi",
        runtime_cpu="2",
        runtime_memory="8Gi",
        runtime_memory_limit="16Gi",
        kv_cache_gib=4,
    ),
}


def amount(quantity: str | int | float) -> Decimal:
    """A Kubernetes quantity as a number of its base unit (cores, bytes): ``amount("300m") == Decimal("0.3")``."""
    text = str(quantity)
    for suffix, factor in _UNITS.items():
        if text.endswith(suffix):
            return Decimal(text.removesuffix(suffix)) * factor
    return Decimal(text)


def sized(document: Document, size: Size) -> Document | None:
    """``document`` cut to ``size``; None for a HorizontalPodAutoscaler.

    These need a metrics server, which the distribution does not carry; replicas are the size's instead.
    """
    if document["kind"] == "HorizontalPodAutoscaler":
        return None
    if document["kind"] not in _WORKLOADS:
        return document
    template = document["spec"]["template"]
    pod = template["spec"]
    cut = {**pod, "containers": [_container(c, size) for c in pod["containers"]]}
    return {**document, "spec": {**document["spec"], "template": {**template, "spec": cut}}}


def _container(container: dict[str, Any], size: Size) -> dict[str, Any]:
    resources = container.get("resources") or {}
    requests = dict(resources.get("requests") or {})
    for name, most in (("cpu", size.request_cpu), ("memory", size.request_memory)):
        if most and name in requests and amount(requests[name]) > amount(most):
            requests[name] = most
    return {**container, "resources": {**resources, "requests": requests}} if requests else container
