"""Pure functions over Kubernetes documents: which one, where it goes, what is laid over it, what is left out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from mirror.text import merged

Document = dict[str, Any]

CLUSTER_SCOPED = frozenset(
    {
        "APIService",
        "ClusterIssuer",
        "ClusterRole",
        "ClusterRoleBinding",
        "ClusterServingRuntime",
        "ClusterStorageContainer",
        "CustomResourceDefinition",
        "GatewayClass",
        "MutatingWebhookConfiguration",
        "Namespace",
        "PriorityClass",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
    }
)
WEBHOOK_CONFIGURATIONS = frozenset({"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"})
# Their program writes these webhooks' rules when it starts: two owners of one atomic list would never agree.
_RULES_OWNED_BY_PROGRAM = ("serving.knative.dev", "networking.internal.knative.dev")


def key(document: Document) -> str:
    """``kind/namespace/name`` (``kind/name`` for cluster-scoped ones): the name of its Pulumi resource."""
    metadata = document["metadata"]
    return "/".join(p for p in (document["kind"].lower(), metadata.get("namespace"), metadata["name"]) if p)


def without_nulls(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """``value`` without the null fields that charts leave behind: an apply would read them as 'remove this'."""
    if isinstance(value, dict):
        return {k: without_nulls(v) for k, v in value.items() if v is not None}
    return [without_nulls(v) for v in value] if isinstance(value, list) else value


def placed(document: Document, namespace: str | None) -> Document:
    """``document`` in ``namespace`` when it is namespaced and names none."""
    metadata = document["metadata"]
    if metadata.get("namespace") or document["kind"] in CLUSTER_SCOPED or namespace is None:
        return document
    return {**document, "metadata": {**metadata, "namespace": namespace}}


def annotated(document: Document, annotations: Mapping[str, str]) -> Document:
    """``document`` with ``annotations`` added."""
    metadata = document["metadata"]
    return {**document, "metadata": {**metadata, "annotations": {**metadata.get("annotations", {}), **annotations}}}


def edited(documents: Iterable[Document], changes: Mapping[str, Callable[[Document], Document]]) -> list[Document]:
    """``documents`` with ``changes`` (by key) made; a change that meets no document is a KeyError.

    A release that renames an object must not silently lose the setting that was meant for it.
    """
    listed = list(documents)
    unmet = set(changes) - {key(d) for d in listed}
    if unmet:
        raise KeyError(f"no document called {', '.join(sorted(unmet))}")
    return [changes[key(d)](d) if key(d) in changes else d for d in listed]


def without(documents: Iterable[Document], keys: Iterable[str]) -> list[Document]:
    """``documents`` but those with ``keys``; a key that meets no document is a KeyError."""
    listed, unwanted = list(documents), set(keys)
    unmet = unwanted - {key(d) for d in listed}
    if unmet:
        raise KeyError(f"no document called {', '.join(sorted(unmet))}")
    return [d for d in listed if key(d) not in unwanted]


def with_data(data: Mapping[str, str]) -> Callable[[Document], Document]:
    """A change: a ConfigMap with ``data`` over its own; other keys (such as ``_example``) stay untouched."""
    return lambda document: {**document, "data": {**document.get("data", {}), **data}}


def with_json_data(entries: Mapping[str, Mapping[str, Any]]) -> Callable[[Document], Document]:
    """A change: a ConfigMap whose values are JSON objects, with ``entries`` merged into them."""

    def change(document: Document) -> Document:
        data = dict(document["data"])
        for name, fields in entries.items():
            data[name] = json.dumps(merged(json.loads(data.get(name, "{}")), fields), indent=2)
        return {**document, "data": data}

    return change


def with_pod_labels(labels: Mapping[str, str]) -> Callable[[Document], Document]:
    """A change: a workload whose pods carry ``labels`` too."""
    return lambda document: merged(document, {"spec": {"template": {"metadata": {"labels": dict(labels)}}}})


def owned(document: Document) -> Document:
    """``document`` without the fields that a controller of the cluster fills in and would fight over.

    Server-side apply owns only what is sent: an aggregated ClusterRole's rules, the rules of webhooks that their
    own program registers, Istio's failurePolicy (which istiod raises to Fail once it answers) are left to their
    writers, and so is every caBundle.
    """
    kind, name = document["kind"], document["metadata"]["name"]
    if kind == "ClusterRole" and "aggregationRule" in document:
        return {k: v for k, v in document.items() if k != "rules"}
    if kind not in WEBHOOK_CONFIGURATIONS:
        return document
    dropped = set()
    if name.endswith(_RULES_OWNED_BY_PROGRAM):
        dropped.add("rules")
    if name.startswith(("istiod-", "istio-validator-")):
        dropped.add("failurePolicy")
    return {**document, "webhooks": [_webhook(w, dropped) for w in document.get("webhooks", [])]}


def _webhook(webhook: Document, dropped: set[str]) -> Document:
    client = {k: v for k, v in webhook["clientConfig"].items() if k != "caBundle"}
    return {**{k: v for k, v in webhook.items() if k not in dropped}, "clientConfig": client}
