"""The documents that show the rules: those of examples.yaml with an example's changes and a site's names in them."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from mirror.document import FileModel, Strict

from .rule import HERE, Document, Example

ELSEWHERE = "registry.elsewhere"
"""A registry that is not the site's."""


class _Named(Strict):
    name: str
    document: Document


class _ExampleFile(FileModel):
    documents: list[_Named]


@dataclass(frozen=True)
class Names:
    """What the placeholders of examples stand for."""

    image: str
    """``<registry>/<name>@sha256:<hex>`` of an image of the receipt."""
    weights: str
    """The same of a model."""
    tenant: str
    """A namespace that models are served in."""

    def filled(self, value: Any) -> Any:  # noqa: ANN401 - any JSON value
        """``value`` with the names in place of their placeholders."""
        if isinstance(value, dict):
            return {k: self.filled(v) for k, v in value.items()}
        if isinstance(value, list):
            return [self.filled(v) for v in value]
        if not isinstance(value, str):
            return value
        known = {
            "IMAGE": self.image,
            "WEIGHTS": self.weights,
            "TENANT": self.tenant,
            "IMAGE FROM ELSEWHERE": f"{ELSEWHERE}/{self.image.partition('/')[2]}",
        }
        return re.sub(r"\$\(([A-Z ]+)\)", lambda m: known[m[1]], value)


@cache
def _documents() -> dict[str, Document]:
    return {d.name: d.document for d in _ExampleFile.read(HERE / "examples.yaml").documents}


def names() -> list[str]:
    """Every document of examples.yaml."""
    return list(_documents())


def shown(example: Example, site: Names) -> Document:
    """The document of ``example``; raises KeyError for a document or a place that there is not."""
    document = copy.deepcopy(_documents()[example.of])
    for pointer, value in example.change.items():
        _put(document, [p.replace("~1", "/").replace("~0", "~") for p in pointer.split("/")[1:]], value)
    filled: Document = site.filled(document)
    return filled


def _put(document: Any, path: list[str], value: Any) -> None:  # noqa: ANN401 - any JSON value
    """Set the place at ``path``, a mapping on the way to it made when it is missing; None removes it."""
    *way, last = path
    for part in way:
        document = document[int(part)] if isinstance(document, list) else document.setdefault(part, {})
    if isinstance(document, list):
        document[int(last)] = value
    elif value is None:
        del document[last]
    else:
        document[last] = value
