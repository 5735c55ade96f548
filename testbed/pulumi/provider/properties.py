"""Stand-in for pulumi-resource-kubernetes, in no registry: property bags of the wire format as plain Python.

On the wire a bag is a protobuf Struct. Numbers are doubles; a secret is ``{SIGNATURE: SECRET, "value": ...}``; a value
that a preview cannot know is one of seven sentinel strings. (Source: sdk/python/lib/pulumi/runtime/rpc.py of Pulumi.)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf import struct_pb2

Json = Any  # any value that JSON can hold; what an object holds is for the API server to judge
Path = tuple[str | int, ...]

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - the wire format's mark, not a password
OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
UNKNOWNS = frozenset(
    {
        UNKNOWN,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)


@dataclass(frozen=True)
class Bag:
    """A decoded property bag: the plain values, and the paths at which they are secret."""

    values: dict[str, Any]
    secrets: frozenset[Path]


def decode(struct: struct_pb2.Struct) -> Bag:
    """A Struct as plain Python, without its secret wrappers.

    ``x_kubernetes_*`` keys, as the typed SDK has to spell them, become the API's ``x-kubernetes-*``.
    """
    secrets: set[Path] = set()
    values = {_api_key(key): _decode(value, (_api_key(key),), secrets) for key, value in struct.fields.items()}
    return Bag(values, frozenset(secrets))


def encode(values: dict[str, Any], secrets: Iterable[Path] = ()) -> struct_pb2.Struct:
    """Plain Python as a Struct; every path in ``secrets`` that exists is wrapped as a secret."""
    struct = struct_pb2.Struct()
    marks = _tree(secrets)
    for key, value in values.items():
        _encode(struct.fields[key], value, marks.get(key))
    return struct


def has_unknown(value: Json) -> bool:
    """Whether anything inside is not known during this preview."""
    if isinstance(value, dict):
        return any(has_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(has_unknown(item) for item in value)
    return isinstance(value, str) and value in UNKNOWNS


def path_text(path: Path) -> str:
    """A path as Pulumi writes it: ``spec.ports[0]["a.b"]``."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif step.replace("_", "a").isalnum():
            text += f".{step}" if text else step
        else:
            escaped = step.replace('"', '\\"')
            text += f'["{escaped}"]'
    return text


def _api_key(key: str) -> str:
    return key.replace("_", "-") if key.startswith("x_kubernetes_") else key


def _decode(value: struct_pb2.Value, path: Path, secrets: set[Path]) -> Json:
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        return value.string_value
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number  # 3.0 must reach Kubernetes as 3
    if kind == "bool_value":
        return value.bool_value
    if kind == "struct_value":
        return _decode_struct(value.struct_value.fields, path, secrets)
    if kind == "list_value":
        return [_decode(item, (*path, index), secrets) for index, item in enumerate(value.list_value.values)]
    return None


def _decode_struct(fields: Mapping[str, struct_pb2.Value], path: Path, secrets: set[Path]) -> Json:
    if SIGNATURE not in fields:
        return {_api_key(key): _decode(item, (*path, _api_key(key)), secrets) for key, item in fields.items()}
    signature = fields[SIGNATURE].string_value
    if signature not in (SECRET, OUTPUT):
        raise ValueError(f"{path_text(path)}: assets, archives and resource references are not Kubernetes properties")
    if signature == SECRET or ("secret" in fields and fields["secret"].bool_value):
        secrets.add(path)
    return _decode(fields["value"], path, secrets) if "value" in fields else UNKNOWN


def _tree(secrets: Iterable[Path]) -> dict[Any, Any]:
    """The paths as one nested dictionary; ``SIGNATURE`` marks where one ends."""
    root: dict[Any, Any] = {}
    for path in secrets:
        node = root
        for step in path:
            node = node.setdefault(step, {})
        node[SIGNATURE] = True
    return root


def _encode(out: struct_pb2.Value, value: Json, marks: dict[Any, Any] | None) -> None:
    if marks and SIGNATURE in marks:
        wrapped = out.struct_value.fields
        wrapped[SIGNATURE].string_value = SECRET
        _encode(wrapped["value"], value, None)  # a secret inside a secret is not wrapped again
    elif value is None:
        out.null_value = struct_pb2.NULL_VALUE
    elif isinstance(value, bool):
        out.bool_value = value
    elif isinstance(value, int | float):
        out.number_value = value
    elif isinstance(value, str):
        out.string_value = value
    elif isinstance(value, dict):
        out.struct_value.SetInParent()
        for key, item in value.items():
            _encode(out.struct_value.fields[key], item, marks.get(key) if marks else None)
    else:
        out.list_value.SetInParent()
        for index, item in enumerate(value):
            _encode(out.list_value.values.add(), item, marks.get(index) if marks else None)
