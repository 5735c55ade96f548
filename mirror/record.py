"""The files that machines write, and what they are made of: as strict as documents, and read in no time.

Whoever makes a record gives it what its types say; what is read, and what is written, is held against them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from msgspec import Struct, ValidationError, convert, to_builtins

from .atomic import write_atomically
from .errors import BadInput
from .text import formed, parsed, text_of

if TYPE_CHECKING:
    from pydantic_core.core_schema import CoreSchema


class Record(Struct, frozen=True, forbid_unknown_fields=True):
    """A value: frozen, and unknown fields are refused."""

    def data(self) -> dict[str, Any]:
        """What JSON and YAML can say of it."""
        found: dict[str, Any] = to_builtins(self)
        return found

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type, handler: object) -> CoreSchema:
        """Documents may hold records."""
        from pydantic_core import core_schema as made

        def validated(given: object) -> object:
            try:
                return given if isinstance(given, source) else convert(given, source)
            except ValidationError as e:
                raise ValueError(str(e)) from e  # What pydantic says with the path of the field.

        said = made.plain_serializer_function_ser_schema(to_builtins)
        return made.no_info_plain_validator_function(validated, serialization=said)


class FileRecord(Record, frozen=True, kw_only=True):
    """A file of the project. ``version`` is the file format's, and only known versions are read."""

    version: Literal[1] = 1

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read ``path`` (YAML or JSON by its ending); raises BadInput naming a field that is wrong."""
        return cls.parse(text_of(path, cls.__name__.lower()), str(path))

    @classmethod
    def parse(cls, content: str, origin: str) -> Self:
        """Parse ``content``; ``origin`` names it in errors."""
        return cls.of_data(parsed(content, origin), origin)

    @classmethod
    def of_data(cls, data: Any, origin: str) -> Self:  # noqa: ANN401 - whatever the file holds
        """``data`` as a record; raises BadInput naming a field that is wrong by its path."""
        try:
            return convert(data, cls)
        except ValidationError as e:
            known = ", ".join(cls.__struct_fields__)
            raise BadInput(origin, str(e), f"Fields at the top level are: {known}.") from e

    def data(self) -> dict[str, Any]:
        """See :class:`Record`; the version comes first."""
        return {"version": self.version, **super().data()}

    def write(self, path: Path) -> None:
        """Write atomically: a reader sees the old file or the whole new one."""
        write_atomically(path, self.text(path.suffix))

    def text(self, suffix: str = ".yaml") -> str:
        """The file's text, keys in the order of the record; raises BadInput rather than give what cannot be read."""
        data = self.data()
        self.of_data(data, type(self).__name__.lower())
        return formed(data, suffix)
