"""AuthorizationPolicies of the mesh: nobody may call anything, then each path is opened to named identities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .documents import Document
from .network import REASON

DENY = "deny-by-default"
Rule = dict[str, Any]


def deny_by_default(root: str) -> Document:
    """In the mesh's root namespace ``root``: a policy that lets nothing through, for every proxy there is.

    An ALLOW policy without rules matches no request, and a proxy that has an ALLOW policy refuses what none of them
    matches (istio.io, Authorization Policy, implicit enablement).
    """
    return _policy(DENY, root, "What no other policy allows is refused, everywhere in the mesh.", {})


def allow(name: str, namespace: str, reason: str, rules: Sequence[Rule], labels: Mapping[str, str]) -> Document:
    """The policy that opens pods with ``labels`` by ``rules``; each has at least one source or condition."""
    spec = {"selector": {"matchLabels": dict(labels)}, "action": "ALLOW", "rules": list(rules)}
    return _policy(name, namespace, reason, spec)


def rule(
    principals: Iterable[str] = (),
    *,
    ports: Iterable[int] = (),
    methods: Iterable[str] = (),
    paths: Iterable[str] = (),
    headers: Mapping[str, str] | None = None,
) -> Rule:
    """Requests by ``principals`` to ``ports`` with one of ``methods``, a path and all ``headers``; empty: any.

    Principals are those of ``identities``. A path or header value may begin or end with ``*``.
    """
    made: Rule = {}
    if source := list(principals):
        made["from"] = [{"source": {"principals": source}}]
    operation = {"ports": [str(p) for p in ports], "methods": list(methods), "paths": list(paths)}
    if given := {k: v for k, v in operation.items() if v}:
        made["to"] = [{"operation": given}]
    if headers:
        made["when"] = [{"key": f"request.headers[{k}]", "values": [v]} for k, v in headers.items()]
    return made


def _policy(name: str, namespace: str, reason: str, spec: dict[str, Any]) -> Document:
    metadata = {"name": name, "namespace": namespace, "annotations": {REASON: reason}}
    return {"apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy", "metadata": metadata, "spec": spec}
