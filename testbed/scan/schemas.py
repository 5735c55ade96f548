"""JSON schemas of every kind, from the API server's own OpenAPI and from CRDs, closed: an unknown field is an error.

The API server prunes unknown fields in silence, so a misspelt setting is lost without a word; here it is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from components.documents import Document

Schema = dict[str, Any]

LOCATION = "{{.Group}}/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json"
"""Where kubeconform finds a kind below the directory; it calls the core group by its version."""

_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_OF_SCHEMAS = ("properties", "definitions", "patternProperties")  # mappings whose values are schemas
_LISTS = ("allOf", "anyOf", "oneOf")
_SINGLE = ("items", "additionalProperties", "not")
_OPEN = ("x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource", "additionalProperties")


def write(openapi: Mapping[str, Any], crds: Iterable[Document], directory: Path) -> int:
    """Write a schema for each kind of ``openapi`` (v2, as ``/openapi/v2`` answers) and of ``crds``; return how many.

    A custom kind that is in both is taken from its CRD, because version 2 of OpenAPI cannot express all of it.
    """
    definitions = {name: null_is_absent(closed(d)) for name, d in openapi["definitions"].items()}
    definitions[_QUANTITY] = {"type": ["string", "number"]}  # OpenAPI says string; the API server takes ``cpu: 1``
    made = dict(_built_in(openapi["definitions"], definitions))
    made |= {file: schema for crd in crds for file, schema in _custom(crd, definitions)}
    for file, schema in made.items():
        (directory / file).parent.mkdir(parents=True, exist_ok=True)
        (directory / file).write_text(json.dumps(schema), encoding="utf-8")
    return len(made)


def closed(schema: Any) -> Any:  # noqa: ANN401 - a schema or a boolean
    """A copy of an OpenAPI schema as a JSON schema that refuses the fields that it does not name."""
    if not isinstance(schema, dict):
        return schema
    made = dict(schema)
    for name in _OF_SCHEMAS:
        if isinstance(made.get(name), dict):
            made[name] = {k: closed(v) for k, v in made[name].items()}
    for name in _LISTS:
        if isinstance(made.get(name), list):
            made[name] = [closed(v) for v in made[name]]
    for name in _SINGLE:
        if name in made:
            made[name] = closed(made[name])
    if made.get("x-kubernetes-int-or-string") or made.get("format") == "int-or-string":
        made = {k: v for k, v in made.items() if k not in ("format", "anyOf")} | {"type": ["integer", "string"]}
    if "properties" in made and made.get("type") == "object" and not any(made.get(name) for name in _OPEN):
        made["additionalProperties"] = False
    if made.get("nullable") and isinstance(made.get("type"), str):
        made["type"] = [made["type"], "null"]
    return made


def null_is_absent(definition: Schema) -> Schema:
    """``definition`` with null allowed for itself and in each field, as the API server reads its own kinds."""
    properties = {k: _or_null(p) for k, p in definition.get("properties", {}).items()}
    return _or_null({**definition, "properties": properties} if properties else definition)


def _or_null(schema: Schema) -> Schema:
    kind = schema.get("type")
    return {**schema, "type": [kind, "null"]} if isinstance(kind, str) else schema


def _built_in(raw: Mapping[str, Schema], definitions: Mapping[str, Schema]) -> Iterator[tuple[str, Schema]]:
    for name, definition in raw.items():
        for of in definition.get("x-kubernetes-group-version-kind", []):
            if "metadata" in definition.get("properties", {}):
                schema = {**definitions[name], "definitions": _needed(definitions[name], definitions)}
                yield _file(of["group"], of["version"], of["kind"]), schema


def _custom(crd: Document, definitions: Mapping[str, Schema]) -> Iterator[tuple[str, Schema]]:
    spec, meta = crd["spec"], {"$ref": f"#/definitions/{_META}"}
    for version in spec["versions"]:
        schema = closed((version.get("schema") or {}).get("openAPIV3Schema") or {"type": "object"})
        own = {**schema.get("properties", {}), "apiVersion": {"type": "string"}, "kind": {"type": "string"}}
        made = {**schema, "properties": {**own, "metadata": meta}, "definitions": _needed(meta, definitions)}
        yield _file(spec["group"], version["name"], spec["names"]["kind"]), made


def _file(group: str, version: str, kind: str) -> str:
    return f"{group or version}/{kind.lower()}_{version}.json"


def _needed(schema: Schema, definitions: Mapping[str, Schema]) -> dict[str, Schema]:
    """The ``definitions`` that ``schema`` refers to, directly or through others."""
    needed: dict[str, Schema] = {}
    todo = list(_references(schema))
    while todo:
        name = todo.pop()
        if name not in needed:
            needed[name] = definitions[name]
            todo += _references(definitions[name])
    return needed


def _references(value: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"].rpartition("/")[2]
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)
