"""Istio's AuthorizationPolicies, as far as they say which identities may call."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from .cluster import Cluster, Document

KIND = "authorizationpolicies.security.istio.io"
MESH_NAMESPACE = "istio-system"


def allowing(cluster: Cluster, namespace: str, labels: dict[str, str]) -> list[Document]:
    """The ALLOW policies that apply to a pod with ``labels``: of its namespace and of the whole mesh."""
    policies = cluster.items(KIND, "-n", namespace) + cluster.items(KIND, "-n", MESH_NAMESPACE)
    return [p for p in policies if p["spec"].get("action", "ALLOW") == "ALLOW" and _selects(p, namespace, labels)]


def names(policies: Iterable[Document], namespace: str, service_account: str) -> bool:
    """Whether one of ``policies`` lists the identity among its principals (``*`` stands for anything)."""
    identity = f"cluster.local/ns/{namespace}/sa/{service_account}"
    return any(
        fnmatchcase(identity, principal)
        for policy in policies
        for rule in policy["spec"].get("rules") or []
        for source in rule.get("from") or []
        for principal in source.get("source", {}).get("principals") or []
    )


def _selects(policy: Document, namespace: str, labels: dict[str, str]) -> bool:
    if "targetRefs" in policy["spec"] or "targetRef" in policy["spec"]:
        return False  # it is a gateway's or a waypoint's
    wanted = policy["spec"].get("selector", {}).get("matchLabels", {})
    everywhere = policy["metadata"]["namespace"] == MESH_NAMESPACE and not wanted
    return everywhere or (policy["metadata"]["namespace"] == namespace and wanted.items() <= labels.items())
