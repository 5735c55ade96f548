"""Knative Serving behind Istio, with certificates of the gateway's."""

from __future__ import annotations

from collections.abc import Sequence

from ..documents import Document
from ..places import KNATIVE
from ..rights import Added, Confined, Dropped, Edit, Named, Without
from .words import PEOPLE, WRITE

_KNATIVE_KINDS = {
    "serving.knative.dev": ("configurations", "domainmappings", "revisions", "routes", "services"),
    "autoscaling.internal.knative.dev": ("metrics", "podautoscalers"),
    "networking.internal.knative.dev": ("certificates", "clusterdomainclaims", "ingresses", "serverlessservices"),
}


def _with_subresources(kinds: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"{k}{sub}" for sub in ("", "/status", "/finalizers") for k in kinds)


def _account(name: str, namespace: str, account: str, rules: list[dict[str, object]]) -> tuple[Document, Document]:
    """A Role and its binding to a service account of the same namespace."""
    api = "rbac.authorization.k8s.io"
    metadata = {"name": name, "namespace": namespace, "labels": {"app.kubernetes.io/part-of": "sealift"}}
    role = {"apiVersion": f"{api}/v1", "kind": "Role", "metadata": metadata, "rules": rules}
    binding = {
        "apiVersion": f"{api}/v1",
        "kind": "RoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": api, "kind": "Role", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
    }
    return role, binding


_ONE_BY_ONE = ("get", "list", "watch", "create", "update", "patch", "delete")
_SLICES = "discovery.k8s.io"
_CERTIFICATES = ("webhook-certs", "net-istio-webhook-certs")
IN_MODELS = "sealift-knative-in-models"
"""What the controller may in the namespaces of models only."""
_CORE = "clusterrole/knative-serving-core"
EDITS: tuple[Edit, ...] = (
    Dropped(
        PEOPLE,
        tuple(f"clusterrole/knative-serving-namespaced-{r}" for r in ("admin", "edit", "view")),
    ),
    Dropped(
        "For Knative Eventing, which is not installed.",
        ("clusterrole/knative-serving-podspecable-binding", "clusterrole/knative-serving-addressable-resolver"),
    ),
    Dropped(
        "An aggregated role, which any role with its label would widen; the controller reads its own kinds already.",
        (
            "clusterrole/knative-serving-aggregated-addressable-resolver",
            "clusterrolebinding/knative-serving-controller-addressable-resolver",
        ),
    ),
    *(
        Named(
            "Knative's own kinds by name, and one by one.",
            _CORE,
            group,
            {group: _with_subresources(kinds)},
            _ONE_BY_ONE,
        )
        for group, kinds in _KNATIVE_KINDS.items()
    ),
    Named(
        "It scales the Deployments of revisions and nothing else.",
        _CORE,
        "*",
        {"apps": ("deployments/scale",)},
    ),
    Without("It reads them, and writes none.", _CORE, "", ("namespaces", "configmaps", "serviceaccounts"), WRITE),
    Without(
        "Pods are made by Deployments; the webhook only asks whether one would be admitted.",
        _CORE,
        "",
        ("pods",),
        ("update", "patch", "delete"),
    ),
    *(
        Confined("Models are in their namespaces.", _CORE, IN_MODELS, group, resources, verbs)
        for group, resources, verbs in (
            ("", ("pods",), ("create",)),
            ("", ("endpoints", "services"), WRITE),
            ("", ("endpoints/restricted",), ("create",)),
            (_SLICES, ("endpointslices",), WRITE),
            (_SLICES, ("endpointslices/restricted",), ("create",)),
            ("apps", ("deployments",), WRITE),
            ("apps", ("deployments/scale",), ("patch",)),
            ("caching.internal.knative.dev", ("images",), WRITE),
        )
    ),
    Without("Writing is for its own namespace, below.", _CORE, "", ("secrets",), WRITE),
    Without("It tells events and asks for none.", _CORE, "", ("events",), ("get", "list", "watch", "delete")),
    Without(
        "It writes its CA into what is there.",
        _CORE,
        "admissionregistration.k8s.io",
        ("mutatingwebhookconfigurations", "validatingwebhookconfigurations"),
        ("create", "delete", "patch"),
    ),
    Without(
        "Types come with the release and go with it; none of this release is converted by the webhook.",
        _CORE,
        "apiextensions.k8s.io",
        ("customresourcedefinitions", "customresourcedefinitions/status"),
    ),
    Without("The autoscaler for this class is not installed.", _CORE, "autoscaling", ("horizontalpodautoscalers",)),
    Without(
        "Knative's own certificates are off: cert-manager serves the gateway.",
        _CORE,
        "cert-manager.io",
        ("certificates", "clusterissuers", "certificaterequests", "issuers"),
    ),
    Without("As cert-manager's.", _CORE, "acme.cert-manager.io", ("challenges",)),
    Without(
        "For a role of releases before 1.16, which were never installed here.",
        _CORE,
        "rbac.authorization.k8s.io",
        ("clusterroles",),
    ),
    Without(
        "Leases of other namespaces are of nodes and of other controllers: whoever writes them can bring both down.",
        _CORE,
        "coordination.k8s.io",
        ("leases",),
        WRITE,
    ),
    Added(
        "The webhooks keep their certificates in Secrets that come with the release; leaders are elected by leases; "
        "the leading autoscaler makes a Service with itself behind it, for the metrics that activators send.",
        _account(
            "sealift-knative-own",
            KNATIVE,
            "controller",
            [
                {
                    "apiGroups": [""],
                    "resources": ["secrets"],
                    "verbs": ["update"],
                    "resourceNames": list(_CERTIFICATES),
                },
                {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": list(WRITE)},
                {"apiGroups": [""], "resources": ["services"], "verbs": ["create"]},
                {"apiGroups": [_SLICES], "resources": ["endpointslices"], "verbs": ["create", "update"]},
                {"apiGroups": [_SLICES], "resources": ["endpointslices/restricted"], "verbs": ["create"]},
            ],
        ),
    ),
)

ROUTES_IN_MODELS = "sealift-net-istio-in-models"
"""What net-istio may in the namespaces of models only."""
_ROUTES = "clusterrole/knative-serving-istio"
NET_ISTIO: tuple[Edit, ...] = (
    Confined(
        "Models are in their namespaces.",
        _ROUTES,
        ROUTES_IN_MODELS,
        "networking.istio.io",
        ("virtualservices", "destinationrules"),
        WRITE,
    ),
    Without(
        "Gateways are made by the stack; net-istio makes them only for certificates of Knative's own, which are off.",
        _ROUTES,
        "networking.istio.io",
        ("gateways",),
        WRITE,
    ),
)
