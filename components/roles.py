"""What people may do: ClusterRoles without a wildcard, each for one job. Who has which is for a stack to say (people).

None is bound to Kubernetes' own view, edit and admin, nor aggregated into them: who holds those in a cluster that
Sealift is installed into gets nothing by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .documents import Document

ENGINEER = "sealift-engineer"
AUDITOR = "sealift-auditor"
OPERATOR = "sealift-operator"
BREAK_GLASS = "sealift-break-glass"

Rule = dict[str, Any]
_READ = ("get", "list", "watch")
_CHANGE = ("create", "update", "patch", "delete")


def rule(group: str, resources: Sequence[str], verbs: Sequence[str]) -> Rule:
    """One rule of a role, of one API group."""
    return {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs)}


_ENGINEER = (
    rule("serving.kserve.io", ["inferenceservices"], [*_READ, *_CHANGE]),
    rule("serving.knative.dev", ["revisions"], _READ),
    rule("", ["pods", "events"], _READ),
    rule("", ["pods/log"], ["get"]),
)

# Everything that the platform is made of, and what it does; no Secret, and nothing that runs or opens a connection.
_AUDITOR = (
    rule("", ["namespaces", "nodes", "pods", "services", "endpoints", "events"], _READ),
    rule("", ["configmaps", "serviceaccounts", "persistentvolumeclaims", "resourcequotas", "limitranges"], _READ),
    rule("", ["pods/log"], ["get"]),
    rule("apps", ["deployments", "replicasets", "daemonsets", "statefulsets", "controllerrevisions"], _READ),
    rule("batch", ["jobs", "cronjobs"], _READ),
    rule("autoscaling", ["horizontalpodautoscalers"], _READ),
    rule("policy", ["poddisruptionbudgets"], _READ),
    rule("scheduling.k8s.io", ["priorityclasses"], _READ),
    rule("discovery.k8s.io", ["endpointslices"], _READ),
    rule("networking.k8s.io", ["networkpolicies", "servicecidrs"], _READ),
    rule("rbac.authorization.k8s.io", ["roles", "rolebindings", "clusterroles", "clusterrolebindings"], _READ),
    rule(
        "admissionregistration.k8s.io",
        [
            "mutatingwebhookconfigurations",
            "validatingwebhookconfigurations",
            "validatingadmissionpolicies",
            "validatingadmissionpolicybindings",
        ],
        _READ,
    ),
    rule("apiextensions.k8s.io", ["customresourcedefinitions"], _READ),
    rule(
        "serving.kserve.io",
        ["inferenceservices", "inferencegraphs", "servingruntimes", "clusterservingruntimes", "trainedmodels"],
        _READ,
    ),
    rule("serving.knative.dev", ["services", "routes", "configurations", "revisions"], _READ),
    rule("networking.internal.knative.dev", ["ingresses", "serverlessservices", "certificates"], _READ),
    rule("autoscaling.internal.knative.dev", ["metrics", "podautoscalers"], _READ),
    rule("gateway.networking.k8s.io", ["gatewayclasses", "gateways", "httproutes", "referencegrants"], _READ),
    rule(
        "networking.istio.io",
        ["destinationrules", "envoyfilters", "gateways", "serviceentries", "sidecars", "virtualservices"],
        _READ,
    ),
    rule("security.istio.io", ["authorizationpolicies", "peerauthentications", "requestauthentications"], _READ),
    rule("telemetry.istio.io", ["telemetries"], _READ),
    rule("cert-manager.io", ["certificates", "certificaterequests", "issuers", "clusterissuers"], _READ),
)

# Keeping what runs running. Changing what runs is for `pulumi up`, which is applied by an administrator.
_OPERATOR = (
    *_AUDITOR,
    rule("", ["pods"], ["delete"]),
    rule("", ["pods/eviction"], ["create"]),
    rule("", ["nodes"], ["patch"]),
    rule("apps", ["deployments/scale", "statefulsets/scale"], ["get", "update", "patch"]),
    rule("serving.kserve.io", ["inferenceservices"], _CHANGE),
)

# What an incident may take: into containers, into Secrets, and past the platform's own guards. It cannot make itself
# permanent: no rule changes RBAC, and none lets its holder act as somebody else.
_BREAK_GLASS = (
    *_OPERATOR,
    rule("", ["secrets", "configmaps"], [*_READ, *_CHANGE]),
    rule("", ["pods/exec", "pods/attach", "pods/portforward"], ["get", "create"]),
    rule("", ["pods/ephemeralcontainers"], ["update", "patch"]),
    rule("", ["services"], _CHANGE),
    rule("apps", ["deployments", "daemonsets", "statefulsets"], ["update", "patch", "delete"]),
    rule("networking.k8s.io", ["networkpolicies"], _CHANGE),
    rule("security.istio.io", ["authorizationpolicies", "peerauthentications", "requestauthentications"], _CHANGE),
    rule("networking.istio.io", ["destinationrules", "serviceentries", "sidecars", "virtualservices"], _CHANGE),
    rule("gateway.networking.k8s.io", ["gateways", "httproutes"], _CHANGE),
    rule("serving.knative.dev", ["services", "routes", "configurations", "revisions"], ["update", "patch", "delete"]),
    rule("cert-manager.io", ["certificates", "certificaterequests"], ["update", "patch", "delete"]),
)

RULES = {ENGINEER: _ENGINEER, AUDITOR: _AUDITOR, OPERATOR: _OPERATOR, BREAK_GLASS: _BREAK_GLASS}


def cluster_role(name: str) -> Document:
    """The ClusterRole ``name``, one of RULES."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/part-of": "sealift"}},
        "rules": [dict(r) for r in RULES[name]],
    }
