"""How much of a node the platform asks for and may take. ``small`` fits platform and models on two cores."""

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
    """What pods may request at most and take at most, and how often the parts run. Quantities are Kubernetes'."""

    name: SizeName
    replicas: int
    """Of what stands in the way of every request or of every change to the cluster."""
    request_cpu: str | None
    """The most CPU that a container of the platform requests; None leaves upstream's."""
    request_memory: str | None
    limit_cpu: str
    """What a container of the platform may take when upstream sets no limit; generous, since a limit slows down."""
    limit_memory: str
    proxy_cpu: str
    proxy_memory: str
    proxy_limit_cpu: str
    """Of each proxy in the mesh, and of Knative's queue-proxy."""
    proxy_limit_memory: str
    runtime_cpu: str
    """What a model server requests when its model does not say."""
    runtime_memory: str
    runtime_cpu_limit: str
    runtime_memory_limit: str
    scratch: str
    """What a model server may write to its caches."""
    kv_cache_gib: int
    """vLLM's key-value cache on a CPU, in GiB."""


SIZES: dict[SizeName, Size] = {
    "small": Size(
        name="small",
        replicas=1,
        request_cpu="20m",
        request_memory="64Mi",
        limit_cpu="2",
        limit_memory="1Gi",
        proxy_cpu="50m",  # half of a model server's: with a tenth a busy one starves its own proxy and the gateway
        proxy_memory="64Mi",
        proxy_limit_cpu="2",
        proxy_limit_memory="512Mi",
        runtime_cpu="100m",
        runtime_memory="3Gi",
        runtime_cpu_limit="4",
        runtime_memory_limit="6Gi",
        scratch="2Gi",
        kv_cache_gib=1,
    ),
    "standard": Size(
        name="standard",
        replicas=2,
        request_cpu=None,
        request_memory=None,
        limit_cpu="4",
        limit_memory="4Gi",
        proxy_cpu="100m",
        proxy_memory="128Mi",
        proxy_limit_cpu="2",
        proxy_limit_memory="1Gi",
        runtime_cpu="2",
        runtime_memory="8Gi",
        runtime_cpu_limit="16",
        runtime_memory_limit="16Gi",
        scratch="8Gi",
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
    fields = [f for f in ("containers", "initContainers") if pod.get(f)]
    cut = pod | {f: [_container(c, size) for c in pod[f]] for f in fields}
    return {**document, "spec": {**document["spec"], "template": {**template, "spec": cut}}}


def _container(container: dict[str, Any], size: Size) -> dict[str, Any]:
    resources = container.get("resources") or {}
    requests = dict(resources.get("requests") or {})
    for name, most in (("cpu", size.request_cpu), ("memory", size.request_memory)):
        if most and name in requests and amount(requests[name]) > amount(most):
            requests[name] = most
    limits = {"cpu": size.limit_cpu, "memory": size.limit_memory, **(resources.get("limits") or {})}
    return {**container, "resources": {**resources, "limits": limits} | ({"requests": requests} if requests else {})}
