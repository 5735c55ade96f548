"""Documents by which to ask an API server whether its policies are in force: an example that breaks each rule."""

from __future__ import annotations

from collections.abc import Sequence

from .admission import policy_name
from .examples import Names, shown
from .rule import Document, Rule

# Kinds that every API server knows. Pod Security refuses pods by itself, so that a pod would not tell.
_EVERYWHERE = frozenset({"v1", "apps/v1", "batch/v1", "networking.k8s.io/v1", "rbac.authorization.k8s.io/v1"})


def probes(rules: Sequence[Rule], names: Names) -> dict[str, Document]:
    """Name of a policy -> what it refuses. Rules about custom resources alone have none."""
    found: dict[str, Document] = {}
    for rule in rules:
        for document in (shown(example, names) for example in rule.breaks if not example.alsoBreaks):
            asked_by_creating = document["kind"] != "Pod" and not document["kind"].endswith("Options")
            if document["apiVersion"] in _EVERYWHERE and asked_by_creating:
                found[policy_name(rule)] = document
                break
    return found
