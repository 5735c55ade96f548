"""What keeps answering while a node is drained or lost: replicas, spread over nodes, never all taken away at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mirror.text import merged

from .documents import Document, key
from .places import CERT_MANAGER, KNATIVE, KSERVE

# In the way of every request or of every change to the cluster: more than one where the size says so. istiod and the
# gateway have a value of their charts for it.
_REPLICATED = frozenset(
    {
        f"deployment/{CERT_MANAGER}/cert-manager-webhook",
        f"deployment/{KNATIVE}/activator",
        f"deployment/{KNATIVE}/webhook",
        f"deployment/{KNATIVE}/net-istio-webhook",
        f"deployment/{KSERVE}/kserve-controller-manager",
    }
)
_DOMAINS = ("kubernetes.io/hostname", "topology.kubernetes.io/zone")


def available(documents: Iterable[Document], replicas: int) -> list[Document]:
    """``documents`` with ``replicas`` of what everything waits for; what runs more than once is spread and budgeted.

    Upstream's budgets are left out: one of 80 % lets nothing go of two replicas, and no node could ever be drained.
    """
    listed: list[Document] = []
    for document in documents:
        if document["kind"] == "PodDisruptionBudget":
            continue
        if key(document) in _REPLICATED:
            document = merged(document, {"spec": {"replicas": replicas}})
        if document["kind"] == "Deployment" and document["spec"].get("replicas", 1) > 1:
            selector = document["spec"]["selector"]
            pod = {"topologySpreadConstraints": spread(selector)}
            listed += [merged(document, {"spec": {"template": {"spec": pod}}}), budget(document["metadata"], selector)]
        else:
            listed.append(document)
    return listed


def spread(selector: dict[str, Any]) -> list[dict[str, Any]]:
    """Over nodes and zones, as evenly as there is room."""
    rule = {"maxSkew": 1, "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": selector}
    return [{**rule, "topologyKey": domain} for domain in _DOMAINS]


def budget(metadata: dict[str, Any], selector: dict[str, Any]) -> Document:
    """Of the pods that ``selector`` selects, one at a time may be evicted."""
    named = {"name": metadata["name"], "namespace": metadata["namespace"]}
    spec = {"maxUnavailable": 1, "selector": selector}
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": named, "spec": spec}
