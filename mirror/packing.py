"""Fetching the weights of locked models and packing them into layers, continuing what an interrupted run began."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import models
from .document import write_atomically
from .errors import BadInput, Damaged
from .layout import OCI_INDEX, WORK, Descriptor, Layout
from .lock import LockedFile, LockedModel
from .model_image import compose, write_layer
from .progress import Report
from .source_map import SourceMap


@dataclass(frozen=True)
class Packing:
    """Packs models into ``layout``; ``directories`` says where models lie that come from a directory, by name."""

    layout: Layout
    source_map: SourceMap
    report: Report
    directories: Mapping[str, Path]

    def check(self, wanted: Iterable[LockedModel]) -> None:
        """Raise BadInput when a model comes from a directory that was not given."""
        for model in wanted:
            if model.origin == f"directory/{model.name}" and model.name not in self.directories:
                raise BadInput(
                    f"model {model.name}",
                    "it comes from a directory, and the lock does not say where that lies here",
                    f"Give --model-directory {model.name}=PATH.",
                )

    def layer(self, file: LockedFile) -> Descriptor | None:
        """The layer of ``file`` that an earlier, interrupted run made; None when there is none."""
        note = self._note(file)
        if not note.is_file():
            return None
        made = Descriptor.parse(json.loads(note.read_text()))
        return made if self.layout.has(made) else None

    def image(self, model: LockedModel, platforms: Sequence[str]) -> Descriptor:
        """Store the image of ``model``; raises Damaged, NotUpstream, RegistryRefused."""
        layers = [self.layer(f) or self._pack(model, f) for f in model.files]
        image = compose(model, platforms, layers)
        for type_, content in image.documents:
            self.layout.add(content, type_)
        return self.layout.add(image.index, OCI_INDEX)

    def _pack(self, model: LockedModel, file: LockedFile) -> Descriptor:
        work = self.layout.path / WORK / model.name
        directory = self.directories.get(model.name)
        if directory:
            content = self._given(directory / file.name, file)
        else:
            content = models.fetch(model, file, self.source_map, work, self.report.advance)
        made = write_layer(self.layout, file, content)
        write_atomically(self._note(file), json.dumps(made.json()))
        if not directory:
            content.unlink()
        return made

    def _given(self, content: Path, file: LockedFile) -> Path:
        if not content.is_file() or models.sha256(content) != file.sha256:
            raise Damaged(str(content), f"it is not the locked file (sha256 {file.sha256})", "Lock again.")
        self.report.advance(file.size)
        return content

    def _note(self, file: LockedFile) -> Path:
        key = hashlib.sha256(f"{file.name}\n{file.sha256}".encode()).hexdigest()
        return self.layout.path / WORK / "layers" / key
