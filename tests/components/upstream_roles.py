"""The least that upstream must bring for the edits of least privilege to have something to meet."""

from __future__ import annotations

from typing import Any

from components.documents import Document
from components.least_privilege import EDITS
from components.rights import Confined, Dropped, Edit, Named, Only, Without

_KINDS = {k.lower(): k for k in ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "ServiceAccount")}
_ALL = ("get", "list", "watch", "create", "update", "patch", "delete")
_API = "rbac.authorization.k8s.io/v1"


def upstream_roles(part: str) -> list[Document]:
    """Roles, bindings and accounts that the edits of ``part`` are about."""
    roles: dict[str, list[dict[str, Any]]] = {}
    documents = []
    for edit in EDITS.get(part, ()):
        if isinstance(edit, Dropped):
            documents += [_document(k, []) for k in edit.keys]
        elif isinstance(edit, Without | Confined | Named | Only):
            roles.setdefault(edit.role, []).append(_rule(edit))
    return documents + [_document(k, rules) for k, rules in roles.items()]


def _rule(edit: Edit) -> dict[str, Any]:
    match edit:
        case Without() | Confined():
            return {"apiGroups": [edit.group], "resources": list(edit.resources), "verbs": list(edit.verbs or _ALL)}
        case Named():
            resource = "*/scale" if edit.group == "*" else "*"
            return {"apiGroups": [edit.group], "resources": [resource], "verbs": list(_ALL[:3])}
        case Only():
            return {"apiGroups": [edit.group], "resources": [edit.resource], "verbs": list(edit.verbs)}
    raise AssertionError(f"no rule shows {edit}")


def _document(key: str, rules: list[dict[str, Any]]) -> Document:
    kind, *place, name = key.split("/")
    namespace = {"namespace": place[0]} if place else {}
    document: Document = {"apiVersion": _API, "kind": _KINDS[kind], "metadata": {"name": name, **namespace}}
    if kind == "serviceaccount":
        return {**document, "apiVersion": "v1"}
    if kind.endswith("binding"):
        role = {"apiGroup": _API.partition("/")[0], "kind": "ClusterRole", "name": name}
        return {**document, "roleRef": role, "subjects": []}
    return {**document, "rules": rules}
