"""The files that people write, and values that are made of them: strict, and all that is wrong is said at once.

What machines write is a record (record.py), which is read without the time that it takes to import pydantic.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from .atomic import write_atomically
from .errors import BadInput
from .text import formed, parsed, text_of

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
        return cls.parse(text_of(path, cls.__name__.lower()), str(path))

    @classmethod
    def parse(cls, content: str, origin: str) -> Self:
        """Parse ``content``; ``origin`` names it in errors."""
        return validate(cls, parsed(content, origin), origin)

    def write(self, path: Path) -> None:
        """Write atomically: a reader sees the old file or the whole new one."""
        write_atomically(path, self.text(path.suffix))

    def text(self, suffix: str = ".yaml") -> str:
        """The file's text, keys in the order of the model."""
        return formed(self.model_dump(mode="json", exclude_defaults=False), suffix)


def validate(model: type[Model], data: Any, origin: str) -> Model:  # noqa: ANN401 - whatever the file holds
    """``data`` as ``model``; raises BadInput that lists every wrong field by its path."""
    try:
        return model.model_validate(data)
    except ValidationError as e:
        problems = "; ".join(f"{'.'.join(map(str, p['loc'])) or 'file'}: {p['msg']}" for p in e.errors())
        known = ", ".join(model.model_fields)
        raise BadInput(origin, problems, f"Fields at the top level are: {known}.") from e
