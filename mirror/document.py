"""The files that people write, and values that are made of them: strict, and all that is wrong is said at once.

What machines write is a record (record.py), which is read without the time that it takes to import pydantic.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from .errors import BadInput
from .text import File, formed

Model = TypeVar("Model", bound=BaseModel)
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", max_length=63)]
Sentence = Annotated[str, StringConstraints(min_length=10)]


class Strict(BaseModel):
    """A value: frozen, and unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class FileModel(File, Strict):
    """A file of the project. ``version`` is the file format's, and only known versions are read."""

    version: Literal[1] = 1

    @classmethod
    def of_data(cls, data: Any, origin: str) -> Self:  # noqa: ANN401 - whatever the file holds
        """See :class:`File`: each wrong field is named."""
        return validate(cls, data, origin)

    def text(self, suffix: str = ".yaml") -> str:
        """See :class:`File`."""
        return formed(self.model_dump(mode="json", exclude_defaults=False), suffix)


def validate(model: type[Model], data: Any, origin: str) -> Model:  # noqa: ANN401 - whatever the file holds
    """``data`` as ``model``; raises BadInput that lists every wrong field by its path."""
    try:
        return model.model_validate(data)
    except ValidationError as e:
        problems = "; ".join(f"{'.'.join(map(str, p['loc'])) or 'file'}: {p['msg']}" for p in e.errors())
        known = ", ".join(model.model_fields)
        raise BadInput(origin, problems, f"Fields at the top level are: {known}.") from e
