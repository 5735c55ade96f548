"""YAML and JSON: read safely whoever wrote them, written for people to read, laid over each other."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import yaml

from .atomic import write_atomically
from .errors import BadInput

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

DEEPEST = 1_000
"""How deep YAML may be nested; libyaml crashes somewhere beyond twenty times as much."""
_BRACKETS = re.compile(r"[\[\]{}]")
_INDENTED = re.compile(rf"^(?: {{{DEEPEST}}}|(?:[ \t]*[-?:][ \t]){{{DEEPEST}}})", re.MULTILINE)


class File:
    """A file of the project, whatever checks what it holds."""

    __slots__ = ()

    @classmethod
    def of_data(cls, data: Any, origin: str) -> Self:  # noqa: ANN401 - whatever the file holds
        """``data`` as this kind of file; raises BadInput naming what is wrong by its path, with ``origin``."""
        raise NotImplementedError

    def text(self, suffix: str = ".yaml") -> str:
        """The file's text, keys in the order of the fields."""
        raise NotImplementedError

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read ``path`` (YAML or JSON by its ending); raises BadInput naming what is wrong."""
        return cls.parse(text_of(path, cls.__name__.lower()), str(path))

    @classmethod
    def parse(cls, content: str, origin: str) -> Self:
        """Parse ``content``; ``origin`` names it in errors."""
        return cls.of_data(parsed(content, origin), origin)

    def write(self, path: Path) -> None:
        """Write atomically: a reader sees the old file or the whole new one."""
        write_atomically(path, self.text(path.suffix))


def text_of(path: Path, what: str) -> str:
    """The text of the file at ``path``, which is ``what`` in errors; raises BadInput."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as e:
        raise BadInput(str(path), e.strerror or str(e), f"Give a readable {what} file.") from e
    except UnicodeDecodeError as e:
        raise BadInput(str(path), f"it is no text: {e}", "Give the file as it was written.") from e


def parsed(text: str, origin: str) -> Any:  # noqa: ANN401 - whatever the file holds
    """What ``text`` holds: JSON where its ``origin`` ends in .json, else YAML; raises BadInput, which names it."""
    try:
        return json.loads(text) if origin.endswith(".json") else yaml.load(shallow(text), Loader)  # noqa: S506
    except (yaml.YAMLError, json.JSONDecodeError, RecursionError) as e:
        raise BadInput(origin, f"not well-formed: {e}", "Mend the syntax.") from e


def formed(data: Mapping[str, Any], suffix: str) -> str:
    """``data`` as JSON where ``suffix`` is .json, else as YAML; keys keep their order."""
    if suffix == ".json":
        return json.dumps(data, indent=2) + "\n"
    return str(yaml.dump(data, Dumper=Dumper, sort_keys=False, width=120, allow_unicode=True))


def shallow(text: str) -> str:
    """``text`` itself, unless it is YAML nested so deep that libyaml's composer, which recurses in C, would crash.

    Raises RecursionError. Only what looks deep is counted exactly, by events, which costs as much as parsing.
    """
    depth = deepest = 0
    for bracket in _BRACKETS.finditer(text):
        depth = depth + 1 if bracket[0] in "[{" else max(0, depth - 1)
        deepest = max(deepest, depth)
    if deepest < DEEPEST and not _INDENTED.search(text):
        return text
    depth = 0
    for event in yaml.parse(text, Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise RecursionError(f"nested more than {DEEPEST:,} deep")
    return text


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``over`` laid over ``base``: mappings are merged, everything else is replaced."""
    result = dict(base)
    for k, v in over.items():
        old = result.get(k)
        result[k] = merged(old, v) if isinstance(old, Mapping) and isinstance(v, Mapping) else v
    return result
