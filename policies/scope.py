"""In which namespaces a rule holds: said once, asked about one namespace, and told the API server as a selector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .rule import Where

SYSTEM = ("kube-system", "kube-public", "kube-node-lease")
"""The cluster's own: whoever may write there owns the cluster, and a rule that went wrong must not stop it."""
NODE = "istio-cni"
"""The one namespace whose pods may touch the node: Istio's CNI plugin installs itself there."""
RECEIPT_NAMESPACE = "sealift-system"
"""Where the receipt lies for the rules that ask it. No pods."""
PLATFORM = ("cert-manager", "istio-system", NODE, "knative-serving", "kserve", RECEIPT_NAMESPACE)
"""Namespaces of the platform itself; every other guarded one is a tenant's."""


@dataclass(frozen=True)
class Scope:
    """The namespaces of one site."""

    models: Sequence[str] = ()
    """Those that the stack serves models in; empty (the policy pack): every tenant's."""
    unguarded: Sequence[str] = ()
    """What the stack leaves out, beside SYSTEM."""

    def holds(self, where: Where, namespace: str | None) -> bool:
        """Whether rules for ``where`` judge objects in ``namespace`` (None: objects without one, which all judge)."""
        if namespace is None:
            return True
        only, but = self._names(where)
        return (only is None or namespace in only) and namespace not in but

    def selector(self, where: Where) -> dict[str, Any]:
        """The same as a Kubernetes namespace selector."""
        only, but = self._names(where)
        label = {"key": "kubernetes.io/metadata.name"}
        expressions: list[dict[str, Any]] = [{**label, "operator": "NotIn", "values": sorted(but)}]
        if only is not None:
            expressions = [{**label, "operator": "In", "values": sorted(set(only) - but)}]
        return {"matchExpressions": expressions}

    def _names(self, where: Where) -> tuple[Sequence[str] | None, set[str]]:
        """The namespaces that are meant (None: all), and those that are not."""
        never = {*SYSTEM, *self.unguarded}
        if where == "platform":
            return PLATFORM, never
        if where == "guarded":
            return None, never
        if where == "off-node":
            return None, never | {NODE}
        return (self.models or None) if where == "models" else None, never | set(PLATFORM)
