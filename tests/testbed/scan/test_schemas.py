from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from testbed.scan import schemas

_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_POD = {
    "type": "object",
    "x-kubernetes-group-version-kind": [{"group": "", "kind": "Pod", "version": "v1"}],
    "properties": {
        "metadata": {"$ref": f"#/definitions/{_META}"},
        "port": {"$ref": "#/definitions/IntOrString"},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}
_OPTIONS = {
    "type": "object",
    "x-kubernetes-group-version-kind": [{"group": "", "kind": "DeleteOptions", "version": "v1"}],
    "properties": {"kind": {"type": "string"}},
}
OPENAPI: dict[str, Any] = {
    "definitions": {
        "Pod": _POD,
        "DeleteOptions": _OPTIONS,
        _META: {"type": "object", "properties": {"name": {"type": "string"}}},
        "IntOrString": {"type": "string", "format": "int-or-string"},
    }
}


def crd(schema: dict[str, Any]) -> dict[str, Any]:
    versions = [{"name": "v1", "schema": {"openAPIV3Schema": schema}}]
    return {"kind": "CustomResourceDefinition", "spec": {"group": "g.io", "names": {"kind": "G"}, "versions": versions}}


def made(directory: Path, file: str, *crds: dict[str, Any]) -> dict[str, Any]:
    schemas.write(OPENAPI, crds, directory)
    found: dict[str, Any] = json.loads((directory / file).read_text())
    return found


def test_a_built_in_kind_has_a_closed_schema_with_what_it_refers_to(tmp_path: Path) -> None:
    pod = made(tmp_path, "v1/pod_v1.json")
    assert pod["additionalProperties"] is False
    assert set(pod["definitions"]) == {_META, "IntOrString"}
    assert pod["definitions"][_META]["additionalProperties"] is False
    assert pod["definitions"]["IntOrString"]["type"] == ["integer", "string"]


def test_a_mapping_stays_open_and_null_is_allowed_in_built_in_kinds(tmp_path: Path) -> None:
    labels = made(tmp_path, "v1/pod_v1.json")["properties"]["labels"]
    assert labels["type"] == ["object", "null"]
    assert labels["additionalProperties"] == {"type": "string"}


def test_what_is_no_object_of_the_cluster_has_no_schema(tmp_path: Path) -> None:
    made(tmp_path, "v1/pod_v1.json")
    assert not (tmp_path / "v1" / "deleteoptions_v1.json").exists()


def test_a_custom_kind_is_closed_as_its_crd_says_and_has_the_clusters_metadata(tmp_path: Path) -> None:
    spec = {"type": "object", "properties": {"size": {"type": "integer", "nullable": True}}}
    free = {"type": "object", "properties": {}, "x-kubernetes-preserve-unknown-fields": True}
    schema = {"type": "object", "properties": {"spec": spec, "free": free}}
    custom = made(tmp_path, "g.io/g_v1.json", crd(schema))
    assert custom["additionalProperties"] is False
    assert custom["properties"]["spec"]["additionalProperties"] is False
    assert custom["properties"]["spec"]["properties"]["size"]["type"] == ["integer", "null"]
    assert "additionalProperties" not in custom["properties"]["free"]
    assert custom["properties"]["metadata"] == {"$ref": f"#/definitions/{_META}"}
    assert custom["definitions"][_META]["additionalProperties"] is False


def test_a_field_that_is_called_like_a_keyword_is_a_field(tmp_path: Path) -> None:
    spec = {"type": "object", "properties": {"type": {"type": "string"}, "items": {"type": "array", "items": {}}}}
    custom = made(tmp_path, "g.io/g_v1.json", crd({"type": "object", "properties": {"spec": spec}}))
    assert custom["properties"]["spec"]["properties"]["type"] == {"type": "string"}


def test_a_number_or_a_string_may_stand_where_either_is_said() -> None:
    either = {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}], "pattern": "%"}
    closed = schemas.closed(either)
    assert closed["type"] == ["integer", "string"]
    assert "anyOf" not in closed


def test_the_given_schema_is_left_as_it_is() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "object", "properties": {}}}}
    schemas.closed(schema)
    assert schema == {"type": "object", "properties": {"a": {"type": "object", "properties": {}}}}
