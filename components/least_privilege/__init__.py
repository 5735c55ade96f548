"""What upstream's charts grant and this platform does not use: taken away, each with the reason why nothing misses it.

A right that upstream adds, renames or withdraws stops the render where an edit no longer meets what it was written
for. What has to stay although it is much is listed in policies/exceptions.yaml.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..documents import Document
from ..places import KNATIVE, KSERVE
from ..rights import Edit
from . import cert_manager, istio, knative, kserve

EDITS: dict[str, tuple[Edit, ...]] = {
    "cert-manager": cert_manager.EDITS,
    "istio-base": istio.BASE,
    "istiod": istio.ISTIOD,
    "istio-gateway": istio.GATEWAY,
    "knative-serving": knative.EDITS,
    "net-istio": knative.NET_ISTIO,
    "kserve": kserve.EDITS,
}
"""By part, in the order in which they are made."""


def trimmed(part: str, documents: Sequence[Document]) -> list[Document]:
    """``documents`` of ``part`` without rights that nothing here uses; raises KeyError when an edit meets nothing."""
    left = list(documents)
    for edit in EDITS.get(part, ()):
        left = edit.made(left)
    return left


def in_models(namespaces: Sequence[str]) -> list[Document]:
    """The bindings by which the controllers of models may work in ``namespaces`` and nowhere else."""
    return [_binding(role, account, n) for n in namespaces for role, account in _ACCOUNTS.items()]


_ACCOUNTS = {
    kserve.IN_MODELS: (KSERVE, "kserve-controller-manager"),
    knative.IN_MODELS: (KNATIVE, "controller"),
    knative.ROUTES_IN_MODELS: (KNATIVE, "controller"),
}


def _binding(role: str, account: tuple[str, str], namespace: str) -> Document:
    api = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{api}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": role, "namespace": namespace, "labels": {"app.kubernetes.io/part-of": "sealift"}},
        "roleRef": {"apiGroup": api, "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": account[1], "namespace": account[0]}],
    }
