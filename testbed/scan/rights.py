"""A scanner of our own for what those of others know little of: who may do what, by any role, to anything."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.documents import Document, key

from .findings import Finding
from .scanner import Reading
from .spread import Spread

_ROLES = ("Role", "ClusterRole")
_ADMINISTRATORS = ("cluster-admin", "admin", "edit", "view")
_NOBODY_IN_PARTICULAR = ("system:anonymous", "system:authenticated", "system:serviceaccounts", "system:unauthenticated")
_AGGREGATE = "rbac.authorization.k8s.io/aggregate-to-"
_READ = frozenset({"get", "list", "watch"})
_MAKE = frozenset({"create", "update", "patch"})
_RUN = frozenset({"pods", "deployments", "daemonsets", "statefulsets", "replicasets", "jobs", "cronjobs"})
_ENTER = frozenset({"pods/exec", "pods/attach", "pods/portforward", "pods/ephemeralcontainers", "pods/proxy"})
_BECOME = frozenset({"escalate", "bind", "impersonate"})
_GRANT = frozenset({"roles", "rolebindings", "clusterroles", "clusterrolebindings"})

TITLES = {
    "wildcard": "A role names the groups, resources and verbs that it allows",
    "secrets": "A role does not reach Secrets, but by name",
    "escalation": "No role leads to more rights than it gives",
    "entering": "No role opens containers, or reaches nodes and services through the API server",
    "running": "No role of the whole cluster makes pods",
    "administrator": "Nothing is bound to cluster-admin, admin, edit or view",
    "everybody": "Nothing is bound to everybody who logs in, or to nobody",
    "aggregated": "No role is added to Kubernetes' own view, edit and admin",
}


@dataclass(frozen=True)
class Rights:
    """See the module. A pure reading of the documents: nothing is started."""

    name: str = "sealift"
    finds: tuple[tuple[str, str], ...] = (("wildcard", "clusterrole/sealift-planted"),)

    def version(self) -> str:
        """Sealift's own."""
        return importlib.metadata.version("sealift")

    def read(self, given: Spread, scratch: Path) -> Reading:
        """See :class:`testbed.scan.scanner.Scanner`."""
        return Reading(frozenset(given.documents), findings(given.documents.values()))


def findings(documents: Iterable[Document]) -> list[Finding]:
    """What is wrong with the roles and bindings among ``documents``."""
    listed = list(documents)
    confined = _confined(listed)
    return [
        Finding(scanner="sealift", rule=rule, title=TITLES[rule], object=key(d), message=message)
        for d in listed
        for rule, message in _of(d, confined)
    ]


def _confined(documents: list[Document]) -> frozenset[str]:
    """Names of the ClusterRoles that are given in single namespaces, and never for the whole cluster."""
    given: dict[str, set[str]] = {"RoleBinding": set(), "ClusterRoleBinding": set()}
    for d in documents:
        if d["kind"] in given and d["roleRef"]["kind"] == "ClusterRole":
            given[d["kind"]].add(d["roleRef"]["name"])
    return frozenset(given["RoleBinding"] - given["ClusterRoleBinding"])


def _of(document: Document, confined: frozenset[str]) -> Iterator[tuple[str, str]]:
    if document["kind"] in _ROLES:
        everywhere = document["kind"] == "ClusterRole" and document["metadata"]["name"] not in confined
        for rule in document.get("rules") or []:
            yield from _of_rule(rule, everywhere=everywhere)
        labels = document["metadata"].get("labels") or {}
        yield from (("aggregated", name) for name, value in labels.items() if name.startswith(_AGGREGATE) and value)
    if document["kind"] in ("RoleBinding", "ClusterRoleBinding"):
        if (role := document["roleRef"]["name"]) in _ADMINISTRATORS and document["roleRef"]["kind"] == "ClusterRole":
            yield "administrator", role
        names = [s["name"] for s in document.get("subjects") or []]
        yield from (("everybody", n) for n in names if n in _NOBODY_IN_PARTICULAR)


def _of_rule(rule: dict[str, Any], *, everywhere: bool) -> Iterator[tuple[str, str]]:
    resources, verbs = set(rule.get("resources") or ()), set(rule["verbs"])
    words = [*(rule.get("apiGroups") or ()), *resources, *verbs, *(rule.get("nonResourceURLs") or ())]
    said = f"{' '.join(sorted(verbs))} {' '.join(sorted(resources))}".strip()
    if any("*" in w for w in words):
        yield "wildcard", said
    if "secrets" in resources and verbs & (_READ | _MAKE) and not _by_name(rule, verbs):
        yield "secrets", " ".join(sorted(verbs))
    if verbs & _BECOME or (resources & _GRANT and verbs & _MAKE) or "serviceaccounts/token" in resources:
        yield "escalation", said
    if resources & _ENTER or {r for r in resources if r in ("nodes/proxy", "services/proxy")}:
        yield "entering", said
    if everywhere and resources & _RUN and verbs & _MAKE:
        yield "running", f"{' '.join(sorted(verbs & _MAKE))} {' '.join(sorted(resources & _RUN))}"


def _by_name(rule: dict[str, Any], verbs: set[str]) -> bool:
    """Whether the names of a rule limit it: making cannot be limited, but tells nothing of what is there."""
    return bool(rule.get("resourceNames")) or verbs == {"create"}
