"""What upstream pods lack for Pod Security 'restricted', added to every pod template by one rule.

Source of the rule: Kubernetes' Pod Security Standards, profile restricted. Fields that upstream sets are kept, so a
pod that needs more than restricted is refused by its namespace instead of being weakened in silence.
"""

from __future__ import annotations

from typing import Any

from .documents import Document

_WORKLOADS = frozenset({"Deployment", "DaemonSet", "StatefulSet", "ReplicaSet", "Job"})


def restricted(document: Document) -> Document:
    """``document``, and if it has a pod template, with what 'restricted' asks for where upstream says nothing."""
    if document["kind"] not in _WORKLOADS:
        return document
    template = document["spec"]["template"]
    spec = {**document["spec"], "template": {**template, "spec": _pod(template["spec"])}}
    return {**document, "spec": spec}


def _pod(spec: dict[str, Any]) -> dict[str, Any]:
    security = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}, **spec.get("securityContext", {})}
    result = {**spec, "securityContext": security}
    for field in ("containers", "initContainers"):
        if spec.get(field):
            result[field] = [_container(c) for c in spec[field]]
    return result


def _container(container: dict[str, Any]) -> dict[str, Any]:
    own = container.get("securityContext", {})
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, **own}
    # Images are named by digest: pulling again cannot change them, and a restart must not need the registry.
    return {**container, "securityContext": security, "imagePullPolicy": "IfNotPresent"}
