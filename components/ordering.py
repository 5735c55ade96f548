"""In which order the documents of one part are made, and by what each of them is known to be ready."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from .documents import WEBHOOK_CONFIGURATIONS, Document, annotated

_RANK = {
    "Namespace": 0,
    "CustomResourceDefinition": 0,
    "PriorityClass": 1,
    "ServiceAccount": 1,
    "ConfigMap": 1,
    "Secret": 1,
    "ClusterRole": 1,
    "Role": 1,
    "NetworkPolicy": 1,
    "LimitRange": 1,
    "ResourceQuota": 1,
    "ClusterRoleBinding": 2,
    "RoleBinding": 2,
    # cert-manager makes the Secrets that pods mount: a Deployment behind them would never start first.
    "Issuer": 3,
    "Certificate": 3,
    "Service": 4,
    "Deployment": 4,
    "DaemonSet": 4,
    "StatefulSet": 4,
    "Job": 4,
    "HorizontalPodAutoscaler": 5,
    "PodDisruptionBudget": 5,
    "MutatingWebhookConfiguration": 5,
    "ValidatingWebhookConfiguration": 5,
    "ValidatingAdmissionPolicy": 5,
    "APIService": 5,
    "ValidatingAdmissionPolicyBinding": 6,
}
_CUSTOM = 7
PROPAGATION = "pulumi.com/deletionPropagationPolicy"
_SHORT_GRACE = 30  # seconds; the default of Kubernetes
_DRAINING = ("Deployment", "DaemonSet")
_CERT_MANAGER = "cert-manager.io/"

CA_INJECTED = '["jsonpath={.webhooks[0].clientConfig.caBundle}"]'
"""A webhook configuration is of use once its controller has written the CA into it; before, it refuses everything."""


def rank(document: Document) -> int:
    """The place of ``document`` in its part: lower first; documents of one rank do not wait for each other.

    A kind that is none of Kubernetes' own comes last, behind the webhooks that judge it. cert-manager's come early,
    but only cert-manager's: Knative has a Certificate too.
    """
    kind = document["kind"]
    if kind in ("Issuer", "Certificate") and not document["apiVersion"].startswith(_CERT_MANAGER):
        return _CUSTOM
    return _RANK.get(kind, _CUSTOM)


def in_ranks(documents: Iterable[Document]) -> list[list[Document]]:
    """``documents`` by rank, each rank in the order given, empty ranks left out."""
    return [list(group) for _, group in groupby(sorted(documents, key=rank), key=rank)]


def awaited(document: Document) -> Document:
    """``document`` with the annotations by which Pulumi waits for its readiness, or does not wait for its end.

    CRDs, Deployments, DaemonSets, Services and Jobs have readiness rules in Pulumi's Kubernetes provider. Webhook
    configurations and admission policies are applied with force: controllers write into them (the API server's own
    into a policy's matchConstraints, with its status), and a changed one would else be a conflict.
    """
    if document["kind"].startswith("ValidatingAdmissionPolicy"):
        return annotated(document, {"pulumi.com/patchForce": "true"})
    if document["kind"] in WEBHOOK_CONFIGURATIONS:
        return annotated(document, {"pulumi.com/waitFor": CA_INJECTED, "pulumi.com/patchForce": "true"})
    if document["apiVersion"].startswith(_CERT_MANAGER) and rank(document) == _RANK["Certificate"]:
        return annotated(document, {"pulumi.com/waitFor": "condition=Ready"})
    if document["kind"] in _DRAINING and _drains_with_its_namespace(document):
        return annotated(document, {PROPAGATION: "background"})
    if document["kind"] == "ClusterIssuer":
        return annotated(document, {"pulumi.com/waitFor": "condition=Ready"})
    return document


def _drains_with_its_namespace(document: Document) -> bool:
    """Whether deleting a workload need not wait for its pods: what goes after it needs only their namespace gone.

    Not where pods have long to drain: Kubernetes looks at a namespace that still has pods only after half of their
    grace period again (the namespace controller's estimate), however soon they are gone.
    """
    if PROPAGATION in document["metadata"].get("annotations", {}):
        return False
    grace = document.get("spec", {}).get("template", {}).get("spec", {}).get("terminationGracePeriodSeconds", 30)
    return bool(grace <= _SHORT_GRACE)


def guarded_by_webhooks(documents: Iterable[Document]) -> bool:
    """Whether ``documents`` bring webhooks, so that what comes behind them must find these answering."""
    return any(d["kind"] in WEBHOOK_CONFIGURATIONS for d in documents)
