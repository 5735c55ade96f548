"""One file for each object, so that a scanner that skips a file skips one object, and so that it is noticed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from components.documents import Document, key
from mirror.errors import BadInput


@dataclass(frozen=True)
class Spread:
    """A directory of files ``00000.yaml`` ..., each with one object."""

    directory: Path
    documents: dict[str, Document]
    """By file name."""

    @property
    def keys(self) -> dict[str, str]:
        """Object key by file name."""
        return {name: key(d) for name, d in self.documents.items()}

    def key_of(self, path: str) -> str:
        """The key of the object in the file that a scanner calls ``path``. Raises BadInput for a foreign file."""
        name = Path(path).name
        if name not in self.documents:
            raise BadInput(path, "a scanner speaks of a file that it was not given", "Look at the scanner's output.")
        return key(self.documents[name])


def spread(documents: Iterable[Document], directory: Path) -> Spread:
    """Write ``documents`` to ``directory``, which must be empty or absent."""
    directory.mkdir(parents=True, exist_ok=True)
    files = {f"{number:05}.yaml": d for number, d in enumerate(documents)}
    for name, document in files.items():
        (directory / name).write_text(text(document), encoding="utf-8")
    return Spread(directory, files)


def text(document: Document) -> str:
    """``document`` as JSON, which is YAML too, without two braces in a row.

    checkov skips a whole file in silence when it holds ``{{ .Values.`` anywhere, as Istio's injector does. JSON has no
    two braces in a row but inside of strings, where the second can be written as its code point.
    """
    return json.dumps(document, indent=1).replace("{{", "{\\u007b")
