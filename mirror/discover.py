"""Every image in a manifest: one walk that finds the places and, with other words in them, rewrites the same places.

The walk goes through every document and every field of it, metadata included, and through JSON, YAML, Go templates
and scripts that stand in its strings. Where an image hides in the real manifests that the catalog names:

- a field called ``image`` or ``...Image``, an image volume's ``image.reference``, an environment variable or a
  ConfigMap key named so (Knative's ``queue-sidecar-image``), an argument ``--...-image=x`` or ``--...-image x``;
- a name in parts: ``{registry, repository, tag, digest}`` or ``{image, defaultImageVersion}``. Rewritten to a digest
  as ``repository: <name>@sha256`` and ``tag: <hex>``, which any reader that joins them with ``:`` reads as pinned;
- Istio's ``{hub, tag}`` with the ``image`` beside or below them, as in the injector's values. Rewritten by putting
  the full name into ``image``: Istio's charts and its injection templates take an image that holds a ``/`` as it is
  (``contains "/" .Values.global.proxy.image``), and hub and tag then count for nothing;
- JSON and text within strings (KServe's ``inferenceservice-config``), by the rules of ``image_text``;
- injection templates in a ConfigMap whose values stand beside them. Actions that yield a value of these are covered
  by the value; joined ones (``{{ .Values.global.hub }}/x:{{ .Values.global.tag }}``) are evaluated and rewritten to
  the plain name; any other is a place without a reference, which must be excluded by its text.

What is left out, because nobody reads it as an image: ``image: auto`` in a pod template that asks for Istio's
injection (istiod puts in the image of its values); a ConfigMap's ``_example`` (Knative and KServe document their
defaults there, and Knative's webhook refuses a changed one); comment lines in a string; the schema of a
CustomResourceDefinition but for its ``default`` values, which the API server really writes into objects; empty values.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from . import image_text
from .name_parts import NameParts
from .reference import Reference

Document = dict[str, Any]


@dataclass(frozen=True)
class Site:
    """One place in a document that holds an image."""

    path: str
    """As ``spec.containers[0].image``; ``$`` leads into JSON within a string, ``:7`` to a line of one."""
    text: str
    """The image as it stands there; a name in parts is joined."""
    reference: Reference | None
    """None when the place must hold an image and its text is no image reference."""
    certain: bool
    """Whether the place itself says that it holds an image; else the text only looks like one."""


Visit = Callable[[Site], str]


def find(document: Document) -> list[Site]:
    """Every place of ``document`` that holds an image, in the order of the document."""
    sites: list[Site] = []

    def note(site: Site) -> str:
        sites.append(site)
        return site.text

    _document(document, note)
    return sites


def rewrite(document: Document, replacement: Callable[[str], str]) -> Document:
    """A copy of ``document`` with each text that ``find`` reports replaced, and nothing else changed.

    ``replacement`` is given the text of each site, also of those without a reference, and gives back the image to
    put there; the text itself leaves the place alone.
    """
    return _document(document, lambda site: replacement(site.text))


@dataclass(frozen=True)
class _Scope:
    """What surrounds a value and says how it is to be read."""

    hub: str = ""
    tag: str = ""
    injected: bool = False
    values: Mapping[str, Any] | None = None

    def within(self, node: Mapping[str, Any]) -> _Scope:
        inner = node.get("global")
        for holder in (node, inner if isinstance(inner, dict) else {}):
            if isinstance(hub := holder.get("hub"), str) and hub and (tag := holder.get("tag")):
                variant = holder.get("variant") or ""
                return replace(self, hub=hub, tag=f"{tag}-{variant}" if variant else str(tag))
        return replace(self, injected=True) if _asks_for_injection(node) else self


def _asks_for_injection(node: Mapping[str, Any]) -> bool:
    metadata = node.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(node.get("spec"), dict):
        return False
    marks = {**(metadata.get("annotations") or {}), **(metadata.get("labels") or {})}
    return marks.get("sidecar.istio.io/inject") == "true"


def _document(document: Document, visit: Visit) -> Document:
    kind, out = document.get("kind"), {}
    for key, value in document.items():
        if kind == "CustomResourceDefinition" and key == "spec":
            out[key] = _schema(value, key, "", visit)
        elif kind in ("ConfigMap", "Secret") and key in ("data", "stringData", "binaryData") and value:
            encoded = key == "binaryData" or (kind == "Secret" and key == "data")
            out[key] = _data(value, key, encoded, visit)
        else:
            out[key] = _field(key, value, key, _Scope().within(document), visit)
    return out


def _data(data: Mapping[str, Any], path: str, encoded: bool, visit: Visit) -> dict[str, Any]:
    scope = _Scope(values=_json(data.get("values")) or {})
    out: dict[str, Any] = {}
    for key, value in data.items():
        at = _at(path, key)
        if key == "_example" or not isinstance(value, str):
            out[key] = value
        elif encoded:
            out[key] = _encoded(key, value, at, scope, visit)
        else:
            out[key] = _field(key, value, at, scope, visit)
    return out


def _encoded(key: str, value: str, path: str, scope: _Scope, visit: Visit) -> str:
    try:
        text = base64.b64decode(value, validate=True).decode("utf-8")
    except ValueError:  # not text: a key, an archive
        return value
    new = _field(key, text, path, scope, visit)
    return value if new == text else base64.b64encode(str(new).encode()).decode()


def _schema(node: Any, path: str, name: str, visit: Visit) -> Any:  # noqa: ANN401 - JSON
    """The ``default`` values in a CRD's schema; ``name`` is the property's that ``node`` describes."""
    if isinstance(node, list):
        return [_schema(x, f"{path}[{i}]", "", visit) for i, x in enumerate(node)]
    if not isinstance(node, dict):
        return node
    out = {}
    for key, value in node.items():
        at = _at(path, key)
        if key == "properties" and isinstance(value, dict):
            out[key] = {k: _schema(v, _at(at, k), k, visit) for k, v in value.items()}
        elif key == "default" and name:
            out[key] = _field(name, value, at, _Scope(), visit)
        else:
            out[key] = _schema(value, at, name if key == "items" else "", visit)
    return out


def _field(key: str, value: Any, path: str, scope: _Scope, visit: Visit) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return _mapping(value, path, scope, visit, is_image=image_text.is_image_key(key))
    if isinstance(value, list):
        return _list(value, path, scope, visit)
    if not isinstance(value, str) or not value:
        return value
    return _image(value, path, scope, visit) if image_text.is_image_key(key) else _string(value, path, scope, visit)


def _mapping(node: Document, path: str, scope: _Scope, visit: Visit, *, is_image: bool = False) -> Document:
    scope = scope.within(node)
    out = _parts(node, path, visit)
    for key, value in node.items():
        if key in out:
            continue
        says = key
        if key == "hub" and value == scope.hub:
            out[key] = value  # a part of a name, found with its image
            continue
        if key == "value" and isinstance(node.get("name"), str):
            says = node["name"]  # an environment variable
        elif key == "reference" and is_image:
            says = "image"  # an image volume
        out[key] = _field(says, value, _at(path, key), scope, visit)
    return {key: out[key] for key in node}


def _list(items: list[Any], path: str, scope: _Scope, visit: Visit) -> list[Any]:
    out, says = [], ""
    for i, item in enumerate(items):
        out.append(_field(says, item, f"{path}[{i}]", scope, visit))
        is_flag = isinstance(item, str) and re.fullmatch(r"--?[\w-]+", item)
        says = item if is_flag else ""  # its value is the next argument
    return out


def _parts(node: Document, path: str, visit: Visit) -> Document:
    """The rewritten fields of a name in parts, or nothing when ``node`` is none."""
    parts = NameParts.of(node)
    if parts is None:
        return {}
    new = visit(Site(_at(path, parts.base), parts.text, image_text.parse(parts.text), certain=True))
    return parts.fields(node) if new == parts.text else parts.holding(new)


def _image(value: str, path: str, scope: _Scope, visit: Visit) -> str:
    if "\n" in value or _json(value) is not None:
        return _string(value, path, scope, visit)
    if value == "auto" and scope.injected:
        return value
    if "{{" in value:
        return _template(value, path, scope.values or {}, visit)
    scheme, text = _without_scheme(value)
    if scope.hub and not re.search("[/:@]", value):
        text = f"{scope.hub}/{value}:{scope.tag}"
    new = visit(Site(path, text, image_text.parse(text), certain=True))
    return value if new == text else scheme + new


def _template(value: str, path: str, values: Mapping[str, Any], visit: Visit) -> str:
    text = image_text.evaluate(value, values)
    if text is not None and (reference := image_text.parse(text)):
        new = visit(Site(path, text, reference, certain=True))
        return value if new == text else new
    if image_text.is_covered(value, values):
        return value
    return visit(Site(path, value, None, certain=True))


def _string(text: str, path: str, scope: _Scope, visit: Visit) -> str:
    structure = _json(text)
    if structure is not None:
        new = _field("", structure, path + "$", _Scope(), visit)
        return text if new == structure else json.dumps(new, indent=4 if "\n" in text else None, ensure_ascii=False)
    lines = text.split("\n")
    if len(lines) == 1:
        return _line(text, path, scope, visit)
    return "\n".join(
        line if line.lstrip().startswith("#") else _line(line, f"{path}:{number}", scope, visit)
        for number, line in enumerate(lines, 1)
    )


def _line(line: str, path: str, scope: _Scope, visit: Visit) -> str:
    def one(match: re.Match[str]) -> str:
        if match["key"] is None:
            return _word(match["word"], path, visit)
        for quote, group in (('"', "double"), ("'", "single"), ("", "bare")):
            if match[group] is not None:
                value = _image(match[group], path, scope, visit)
                return f"{match['key']}{match['between']}{quote}{value}{quote}"
        raise AssertionError(match)  # the pattern has no other branch

    return image_text.WORDS.sub(one, line)


def _word(word: str, path: str, visit: Visit) -> str:
    scheme, text = _without_scheme(word)
    reference = image_text.suspect(text)
    return word if reference is None else scheme + visit(Site(path, text, reference, certain=False))


def _without_scheme(text: str) -> tuple[str, str]:
    """``oci+native://x`` and ``docker://x`` name the image ``x``."""
    match = re.match(r"(?:docker|oci(?:\+\w+)?)://", text)
    return (match[0], text[match.end() :]) if match else ("", text)


def _json(text: object) -> Any:  # noqa: ANN401 - JSON
    """The object or array that ``text`` is, or None."""
    if not isinstance(text, str) or not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return None


def _at(path: str, key: str) -> str:
    return f"{path}.{key}" if re.fullmatch(r"[\w-]+", key) else f'{path}["{key}"]'
