"""KServe's manager: models whose weights are images, published by HTTPRoutes."""

from __future__ import annotations

from ..rights import Confined, Edit, Without
from .words import WRITE

IN_MODELS = "sealift-kserve-in-models"
"""What the manager may in the namespaces of models only."""
_MANAGER = "clusterrole/kserve-manager-role"
EDITS: tuple[Edit, ...] = (
    Without(
        "Models are images: no storage asks for a credential. A Secret of a namespace is none of the manager's.",
        _MANAGER,
        "",
        ("secrets",),
        ("get",),
    ),
    Without(
        "For servers of several models at a time and for private authorities of a storage; neither is used.",
        _MANAGER,
        "",
        ("configmaps",),
        ("create", "update"),
    ),
    Without("It tells events and asks for none.", _MANAGER, "", ("events",), ("get", "list", "watch", "delete")),
    Without(
        "cert-manager writes the CA into the webhook configurations; the manager does not touch them.",
        _MANAGER,
        "admissionregistration.k8s.io",
        ("mutatingwebhookconfigurations", "validatingwebhookconfigurations"),
    ),
    Without(
        "KEDA is not installed.",
        _MANAGER,
        "keda.sh",
        ("scaledobjects", "scaledobjects/finalizers", "scaledobjects/status"),
    ),
    Without(
        "OpenTelemetry's operator is not installed.",
        _MANAGER,
        "opentelemetry.io",
        (
            "opentelemetrycollectors",
            "opentelemetrycollectors/finalizers",
            "opentelemetrycollectors/status",
        ),
    ),
    Without("Models are published by HTTPRoutes.", _MANAGER, "networking.k8s.io", ("ingresses",)),
    Without(
        "Caching models on nodes is not installed.",
        _MANAGER,
        "serving.kserve.io",
        ("localmodelcaches", "localmodelnamespacecaches"),
    ),
    Without(
        "Routes of Istio's are Knative's business; the manager looks whether there is one of its own, and makes none.",
        _MANAGER,
        "networking.istio.io",
        ("virtualservices",),
        WRITE,
    ),
    Without(
        "As the routes.",
        _MANAGER,
        "networking.istio.io",
        ("virtualservices/finalizers", "virtualservices/status"),
    ),
    Without(
        "Models are made and taken away by people and stacks.",
        _MANAGER,
        "serving.kserve.io",
        ("inferencegraphs", "inferenceservices", "trainedmodels"),
        ("create", "delete"),
    ),
    Without(
        "Leaders are elected by leases.",
        "role/kserve/kserve-leader-election-role",
        "",
        ("configmaps", "configmaps/status"),
    ),
    *(
        Confined("Models are in their namespaces.", _MANAGER, IN_MODELS, group, resources, verbs)
        for group, resources, verbs in (
            ("", ("services",), WRITE),
            ("apps", ("deployments",), WRITE),
            ("autoscaling", ("horizontalpodautoscalers",), WRITE),
            ("gateway.networking.k8s.io", ("httproutes",), WRITE),
            ("serving.knative.dev", ("services", "services/finalizers"), WRITE),
            ("serving.knative.dev", ("services/status",), ("patch", "update")),
        )
    ),
    Without(
        "Runtimes and storage are made by the stack; the manager reads them.",
        _MANAGER,
        "serving.kserve.io",
        ("clusterservingruntimes", "clusterstoragecontainers", "servingruntimes"),
        WRITE,
    ),
)
