"""What somebody may do, as the API server itself lists it for them: every right, wherever it comes from."""

from __future__ import annotations

from itertools import product

from .cluster import Cluster, Document, Identity

Right = tuple[str, str, str]
"""API group, resource, verb."""

READ = ("get", "list", "watch")
_CHANGE = ("create", "update", "patch", "delete")
_REVIEWS = ("selfsubjectaccessreviews", "selfsubjectrulesreviews")
EVERYBODY: frozenset[Right] = frozenset(
    [
        ("authentication.k8s.io", "selfsubjectreviews", "create"),
        *(("authorization.k8s.io", r, "create") for r in _REVIEWS),
    ]
)
"""Rights that Kubernetes gives whoever is logged in: to ask about themselves (system:basic-user)."""

ENGINEER: frozenset[Right] = frozenset(
    [
        *product(["serving.kserve.io"], ["inferenceservices"], [*READ, *_CHANGE]),
        *product(["serving.knative.dev"], ["revisions"], READ),
        *product([""], ["pods", "events"], READ),
        ("", "pods/log", "get"),
    ]
)
"""What an ML engineer may do in the namespaces of their models, and nowhere else."""
OPERATOR_CHANGES: frozenset[Right] = frozenset(
    [
        *product(["serving.kserve.io"], ["inferenceservices"], _CHANGE),
        *product(["apps"], ["deployments/scale", "statefulsets/scale"], ["update", "patch"]),
        ("", "pods", "delete"),
        ("", "pods/eviction", "create"),
        ("", "nodes", "patch"),
    ]
)
"""What an operator may do beside reading."""


def member(group: str) -> Identity:
    """Somebody of ``group``, and of the group of all who are logged in."""
    return Identity("sealift-smoke", (group, "system:authenticated"))


def of(cluster: Cluster, who: Identity, namespace: str) -> frozenset[Right]:
    """Every right of ``who`` in ``namespace``, those for the whole cluster included, but what everybody has."""
    review: Document = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    status = cluster.review(review, who)["status"]
    assert not status.get("incomplete"), f"the API server cannot list all rights: {status.get('evaluationError')}"
    listed = {
        right
        for rule in status["resourceRules"]
        for right in product(rule.get("apiGroups", [""]), _named(rule), rule["verbs"])
    }
    return frozenset(listed - EVERYBODY)


def told(rights: frozenset[Right]) -> list[str]:
    """``rights`` for people, sorted."""
    return sorted(f"{verb} {resource}{'.' + group if group else ''}" for group, resource, verb in rights)


def changes(rights: frozenset[Right]) -> frozenset[Right]:
    """Those that are not reading."""
    return frozenset(r for r in rights if r[2] not in READ)


def _named(rule: Document) -> list[str]:
    """The rule's resources; where it holds for objects of one name only, with these."""
    names = rule.get("resourceNames") or []
    suffix = f"[{','.join(names)}]" if names else ""
    return [f"{r}{suffix}" for r in rule.get("resources", [])]
