"""Reading and writing the files of the project: strict, atomic, readable by a person."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from .atomic import write_atomically
from .errors import BadInput

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

DEEPEST = 1_000
"""How deep YAML may be nested; libyaml crashes somewhere beyond twenty times as much."""
_BRACKETS = re.compile(r"[\[\]{}]")
_INDENTED = re.compile(rf"^(?: {{{DEEPEST}}}|(?:[ \t]*[-?:][ \t]){{{DEEPEST}}})", re.MULTILINE)

Model = TypeVar("Model", bound=BaseModel)
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", max_length=63)]
Sentence = Annotated[str, StringConstraints(min_length=10)]


class Strict(BaseModel):
    """A value: frozen, and unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class FileModel(Strict):
    """A file of the project. ``version`` is the file format's, and only known versions are read."""

    version: Literal[1] = 1

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read ``path`` (YAML or JSON by its ending); raises BadInput naming each wrong field."""
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as e:
            raise BadInput(str(path), e.strerror or str(e), f"Give a readable {cls.__name__.lower()} file.") from e
        except UnicodeDecodeError as e:
            raise BadInput(str(path), f"it is no text: {e}", "Give the file as it was written.") from e
        return cls.parse(text, str(path))

    @classmethod
    def parse(cls, text: str, origin: str) -> Self:
        """Parse ``text``; ``origin`` names it in errors."""
        try:
            data = json.loads(text) if origin.endswith(".json") else yaml.load(shallow(text), Loader)  # noqa: S506
        except (yaml.YAMLError, json.JSONDecodeError, RecursionError) as e:
            raise BadInput(origin, f"not well-formed: {e}", "Mend the syntax.") from e
        return validate(cls, data, origin)

    def write(self, path: Path) -> None:
        """Write atomically: a reader sees the old file or the whole new one."""
        write_atomically(path, self.text(path.suffix))

    def text(self, suffix: str = ".yaml") -> str:
        """The file's text, keys in the order of the model."""
        data = self.model_dump(mode="json", exclude_defaults=False)
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


def validate(model: type[Model], data: Any, origin: str) -> Model:  # noqa: ANN401 - whatever the file holds
    """``data`` as ``model``; raises BadInput that lists every wrong field by its path."""
    try:
        return model.model_validate(data)
    except ValidationError as e:
        problems = "; ".join(f"{'.'.join(map(str, p['loc'])) or 'file'}: {p['msg']}" for p in e.errors())
        known = ", ".join(model.model_fields)
        raise BadInput(origin, problems, f"Fields at the top level are: {known}.") from e


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``over`` laid over ``base``: mappings are merged, everything else is replaced."""
    result = dict(base)
    for k, v in over.items():
        old = result.get(k)
        result[k] = merged(old, v) if isinstance(old, Mapping) and isinstance(v, Mapping) else v
    return result
