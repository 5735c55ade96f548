"""Stand-in for pulumi-resource-kubernetes, in no registry: the ``pulumi.com/*`` annotations, as documented."""

from __future__ import annotations

import json
from typing import Any

SKIP_AWAIT = "pulumi.com/skipAwait"
WAIT_FOR = "pulumi.com/waitFor"
TIMEOUT_SECONDS = "pulumi.com/timeoutSeconds"
PATCH_FORCE = "pulumi.com/patchForce"
PATCH_FIELD_MANAGER = "pulumi.com/patchFieldManager"
REPLACE_UNREADY = "pulumi.com/replaceUnready"
DELETION_PROPAGATION = "pulumi.com/deletionPropagationPolicy"
AUTONAMED = "pulumi.com/autonamed"

Object = dict[str, Any]

# skipAwait also skips waiting for the deletion of these kinds, and only of these (pulumi-kubernetes issue 1232).
_UNAWAITED_DELETION = frozenset(
    {"Namespace", "Pod", "ReplicationController", "DaemonSet", "Deployment", "StatefulSet", "Job"}
)


def of(manifest: Object) -> dict[str, str]:
    """The annotations of an object, or of inputs that may still be unknown in part."""
    metadata = manifest.get("metadata")
    found = metadata.get("annotations") if isinstance(metadata, dict) else None
    return found if isinstance(found, dict) else {}


def is_true(manifest: Object, name: str) -> bool:
    """Whether an annotation says ``"true"``; any other text does not."""
    return of(manifest).get(name) == "true"


def timeout_seconds(manifest: Object, custom_timeout: float, default: float) -> float:
    """How long an operation may take: the resource option first, then the annotation, then the kind's default."""
    if custom_timeout:
        return custom_timeout
    text = of(manifest).get(TIMEOUT_SECONDS, "")
    return float(text) if text.isdigit() else default


def propagation_policy(manifest: Object) -> str:
    """How the API server deletes dependents: Foreground unless the annotation says otherwise."""
    return {"orphan": "Orphan", "background": "Background"}.get(
        of(manifest).get(DELETION_PROPAGATION, "").lower(), "Foreground"
    )


def awaits_deletion(manifest: Object) -> bool:
    """Whether a deletion is waited for until the object is gone."""
    return not (is_true(manifest, SKIP_AWAIT) and manifest.get("kind") in _UNAWAITED_DELETION)


def wait_expressions(manifest: Object) -> list[str]:
    """The expressions of ``pulumi.com/waitFor``: one, or a JSON list of them; empty without the annotation."""
    text = of(manifest).get(WAIT_FOR, "")
    if not text:
        return []
    if not text.lstrip().startswith("["):
        return [text]
    expressions = json.loads(text)
    if not expressions or not all(isinstance(item, str) for item in expressions):
        raise ValueError(f"{WAIT_FOR}: {text!r} is not a list of at least one text")
    return list(expressions)
