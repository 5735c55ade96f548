"""Stand-in for pulumi-resource-kubernetes, in no registry: what Pulumi's state keeps of an object."""

from __future__ import annotations

import base64
from typing import Any

from google.protobuf import struct_pb2

from testbed.pulumi.provider.properties import UNKNOWN, Path, encode, has_unknown

Object = dict[str, Any]

FIELD_MANAGER = "__fieldManager"
INITIAL_VERSION = "__initialApiVersion"
_SERVER_MADE = ("uid", "resourceVersion", "creationTimestamp")
_SERVER_ONLY = (*_SERVER_MADE, "generation", "managedFields", "selfLink", "deletionTimestamp")


def identity(obj: Object) -> str:
    """The id of a resource: ``namespace/name``, or the name alone."""
    meta = obj["metadata"]
    return f"{meta['namespace']}/{meta['name']}" if meta.get("namespace") else str(meta["name"])


def split_identity(text: str) -> tuple[str | None, str]:
    """The namespace (None when there is none) and the name of an id."""
    namespace, _, name = text.rpartition("/")
    return namespace or None, name


def is_secret(obj: Object) -> bool:
    """Whether this is a core Secret."""
    return (obj.get("apiVersion"), obj.get("kind")) == ("v1", "Secret")


def normalize(inputs: Object) -> None:
    """Bring inputs, in place, to the form in which the API server returns them, so that they compare equal."""
    inputs.pop("status", None)
    for key in _SERVER_ONLY:
        inputs["metadata"].pop(key, None)
    text = inputs.get("stringData")
    if is_secret(inputs) and isinstance(text, dict) and not has_unknown(text):
        coded = {key: base64.b64encode(str(value).encode()).decode() for key, value in text.items()}
        inputs["data"] = {**(inputs.get("data") or {}), **coded}
        del inputs["stringData"]


def secret_paths(obj: Object, found: frozenset[Path]) -> set[Path]:
    """Where an object's properties are secret: where its inputs were, and all data of a Secret.

    A list that holds a secret is secret as a whole: the server may order it differently.
    """
    paths = {path[: next((at for at, step in enumerate(path) if isinstance(step, int)), len(path))] for path in found}
    return paths | ({("data",), ("stringData",)} if is_secret(obj) else set())


def outputs(
    live: Object, inputs: Object, manager: str, secrets: frozenset[Path], *, preview: bool = False
) -> struct_pb2.Struct:
    """The state of an object as a Struct: the live object, which fields are secret, and who manages them."""
    state = dict(live)
    state["metadata"] = {key: value for key, value in live["metadata"].items() if key != "managedFields"}
    if preview:
        _hide_invented(state, inputs)
    state[FIELD_MANAGER], state[INITIAL_VERSION] = manager, inputs["apiVersion"]
    return encode(state, secret_paths(state, secrets))


def expected(inputs: Object, secrets: frozenset[Path]) -> struct_pb2.Struct:
    """The outputs of an object that cannot be tried yet: its inputs, and unknowns where the server will decide."""
    state = dict(inputs)
    if isinstance(state.get("metadata"), dict):
        state["metadata"] = {**state["metadata"], **dict.fromkeys(_SERVER_MADE, UNKNOWN)}
    if _is_service(state) and isinstance(state.get("spec"), dict):
        state["spec"] = {"clusterIP": UNKNOWN, "clusterIPs": UNKNOWN, **state["spec"]}
    return encode(state, secret_paths(state, secrets))


def imported_inputs(live: Object) -> Object:
    """The inputs that an object would have had, for an import: all of it but what only a server writes."""
    meta = {key: value for key, value in live["metadata"].items() if key not in _SERVER_ONLY}
    return {**{key: value for key, value in live.items() if key != "status"}, "metadata": meta}


def _hide_invented(state: Object, inputs: Object) -> None:
    """Mark what a dry run makes up, in place: the real values come with the real object."""
    state.pop("status", None)
    state["metadata"] |= {key: UNKNOWN for key in _SERVER_MADE if key in state["metadata"]}
    if _is_service(state):
        given = inputs.get("spec") or {}
        invented = {key: UNKNOWN for key in ("clusterIP", "clusterIPs") if key in state["spec"] and key not in given}
        state["spec"] = {**state["spec"], **invented}


def _is_service(obj: Object) -> bool:
    return (obj.get("apiVersion"), obj.get("kind")) == ("v1", "Service")
