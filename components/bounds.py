"""What a namespace's pods and Services are held to, whoever makes them."""

from __future__ import annotations

from .documents import Document, annotated
from .places import ISTIO
from .size import Size


def bounds(namespace: str, size: Size) -> list[Document]:
    """The LimitRange and the ResourceQuota of ``namespace``."""
    return [_limit_range(namespace, size), _ways_in(namespace)]


def _limit_range(namespace: str, size: Size) -> Document:
    """A container that says nothing gets these limits: none can take a whole node."""
    defaults = {
        "type": "Container",
        "default": {"cpu": size.limit_cpu, "memory": size.limit_memory},
        "defaultRequest": {"cpu": size.proxy_cpu, "memory": size.proxy_memory},
    }
    return _object("LimitRange", "defaults", namespace, {"limits": [defaults]})


def _ways_in(namespace: str) -> Document:
    """No Service opens a port on nodes or takes a load balancer, but the gateway's one port."""
    most = "1" if namespace == ISTIO else "0"
    hard = {"services.nodeports": most, "services.loadbalancers": most}
    quota = _object("ResourceQuota", "ways-in", namespace, {"hard": hard})
    # Until the cluster has counted what is there, every Service would be refused.
    return annotated(quota, {"pulumi.com/waitFor": "jsonpath={.status.hard}"})


def _object(kind: str, name: str, namespace: str, spec: dict[str, object]) -> Document:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec}
