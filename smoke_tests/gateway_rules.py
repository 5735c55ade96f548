"""The gateway's rules about a model of the stack, for a model of the checks' own that nobody's key would open else."""

from __future__ import annotations

from typing import Any

from .authorization import KIND, MESH_NAMESPACE
from .cluster import Cluster, Document
from .environment import ServedModel


def copied(cluster: Cluster, like: ServedModel, model: ServedModel, labels: dict[str, str]) -> list[Document]:
    """Policies of the gateway that let those call ``model`` who may call ``like``."""
    found = cluster.items(KIND, "-n", MESH_NAMESPACE)
    return [made for policy in found if (made := _copied(policy, like, model, labels))]


def _copied(policy: Document, like: ServedModel, model: ServedModel, labels: dict[str, str]) -> Document | None:
    rules = [
        {**rule, "to": [_renamed(to, like.host, model.host) for to in rule["to"]]}
        for rule in policy["spec"].get("rules") or []
        if any(like.host in to["operation"].get("hosts", []) for to in rule.get("to") or [])
    ]
    if not rules or policy["metadata"].get("labels") == labels:
        return None
    name = f"{model.name}-{policy['metadata']['name']}"
    return {
        "apiVersion": policy["apiVersion"],
        "kind": policy["kind"],
        "metadata": {"name": name, "namespace": MESH_NAMESPACE, "labels": labels},
        "spec": {**policy["spec"], "rules": rules},
    }


def _renamed(to: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    hosts = [h.replace(old, new) for h in to["operation"]["hosts"]]
    return {**to, "operation": {**to["operation"], "hosts": hosts}}
