"""Stand-in for pulumi-resource-kubernetes, in no registry: the JSONPath that ``pulumi.com/waitFor`` needs.

The strict form of ``kubectl get -o jsonpath={...}``: fields, quoted fields, indexes, ``[*]``, ``[?(@.key=="text")]``.
Anything else is refused rather than misread.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from testbed.pulumi.provider.properties import Json

_STEP = re.compile(
    r"""\.(?P<name>[A-Za-z_][\w-]*)"""
    r"""|\[(?P<index>-?\d+|\*)\]"""
    r"""|\[(?P<quote>['"])(?P<quoted>.+?)(?P=quote)\]"""
    r"""|\[\?\(\s*@\.(?P<key>[\w.]+)\s*==\s*(?P<mark>['"])(?P<value>.*?)(?P=mark)\s*\)\]"""
)
_EXPRESSION = re.compile(r"^jsonpath=\{\s*(?P<path>\$?.*?)\s*\}(?:=(?P<value>.+))?$", re.DOTALL)


@dataclass(frozen=True)
class Expression:
    """A path into an object and, optionally, the text that must stand there."""

    path: str
    value: str | None

    def unmet(self, obj: dict[str, Any]) -> str | None:
        """Why the object does not match yet, or None when it does."""
        found = select(obj, self.path)
        if not found:
            return f"{{{self.path}}} selects nothing yet"
        if self.value is None:
            return None
        if isinstance(found[0], dict | list):
            raise ValueError(f"{{{self.path}}} is not a plain value: it cannot equal {self.value!r}")
        text = _text(found[0])
        return None if text == self.value else f"{{{self.path}}} is {text!r}, wanted {self.value!r}"


def parse(text: str) -> Expression:
    """Read ``jsonpath={.path}`` or ``jsonpath={.path}=value``; ValueError says what is wrong."""
    match = _EXPRESSION.match(text)
    if match is None:
        raise ValueError(f"{text!r} is not jsonpath={{.path}} or jsonpath={{.path}}=value")
    path = match["path"].removeprefix("$")
    _steps(path)
    return Expression(path, match["value"])


def select(obj: Json, path: str) -> list[Json]:
    """Every value at a path."""
    nodes = [obj]
    for step in _steps(path):
        nodes = [found for node in nodes for found in _take(node, step)]
    return nodes


def _steps(path: str) -> list[re.Match[str]]:
    steps: list[re.Match[str]] = []
    position = 0
    while position < len(path):
        step = _STEP.match(path, position)
        if step is None:
            raise ValueError(f"{path!r}: cannot read {path[position:]!r}")
        steps.append(step)
        position = step.end()
    return steps


def _take(node: Json, step: re.Match[str]) -> list[Json]:
    name = step["name"] or step["quoted"]
    if name is not None:
        return [node[name]] if isinstance(node, dict) and name in node else []
    if not isinstance(node, list):
        return []
    if step["index"] == "*":
        return list(node)
    if step["index"] is not None:
        index = int(step["index"])
        return [node[index]] if -len(node) <= index < len(node) else []
    wanted = step["value"]
    return [item for item in node if any(_text(found) == wanted for found in select(item, "." + step["key"]))]


def _text(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value)
