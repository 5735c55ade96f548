"""Stand-in for pulumi-resource-kubernetes, in no registry: field managers of server-side apply.

Objects are created by a plain POST (so that one which exists is refused), which makes an "Update" entry in
managedFields. Before the first apply those fields must belong to the resource's own "Apply" manager, or removed
fields would stay.
"""

from __future__ import annotations

import secrets
from typing import Any

from testbed.pulumi.provider import annotation, state

Object = dict[str, Any]

CREATOR = "pulumi-kubernetes"
# Whose fields an update takes over: the provider's own creates, and what kubectl apply has set.
_TAKEN_OVER = {
    (CREATOR, "Update"),
    ("pulumi-resource-kubernetes", "Update"),
    ("kubectl", "Apply"),
    ("kubectl", "Update"),
    ("before-first-apply", "Update"),
}


def manager_for(inputs: Object, old_state: Object) -> str:
    """The field manager of a resource: annotated, remembered, or a new one with a random suffix."""
    annotated = annotation.of(inputs).get(annotation.PATCH_FIELD_MANAGER)
    return str(annotated or old_state.get(state.FIELD_MANAGER) or f"{CREATOR}-{secrets.token_hex(4)}")


def created_by_post(live: Object) -> bool:
    """Whether some fields still belong to the create, so that a previewed apply would conflict with ourselves."""
    entries = live["metadata"].get("managedFields") or []
    return any((entry["manager"], entry["operation"]) == (CREATOR, "Update") for entry in entries)


def takeover(live: Object, manager: str) -> list[Object]:
    """The JSON patch that gives those fields to the manager's Apply entry; empty when there is nothing to take."""
    entries = live["metadata"].get("managedFields") or []
    taken = [entry for entry in entries if _is_taken(entry, manager)]
    if not any(entry["operation"] == "Update" or entry["manager"] != manager for entry in taken):
        return []
    merged: Object = {}
    for entry in taken:
        merged = _union(merged, entry.get("fieldsV1") or {})
    own = {**taken[-1], "manager": manager, "operation": "Apply", "fieldsV1": merged}
    rest = [entry for entry in entries if not _is_taken(entry, manager)]
    version = live["metadata"]["resourceVersion"]
    return [
        {"op": "test", "path": "/metadata/resourceVersion", "value": version},
        {"op": "replace", "path": "/metadata/managedFields", "value": [*rest, own]},
    ]


def _is_taken(entry: Object, manager: str) -> bool:
    if entry.get("subresource"):
        return False
    key = (entry["manager"], entry["operation"])
    return key in _TAKEN_OVER or key == (manager, "Apply")


def _union(left: Object, right: Object) -> Object:
    """Both sets of fields; managedFields writes a set as nested mappings."""
    return {
        **left,
        **{key: _union(left[key], item) if key in left else item for key, item in right.items()},
    }
