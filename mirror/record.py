"""The files that machines write, and what they are made of: as strict as documents, and read in no time.

Whoever makes a record gives it what its types say; what is read, and what is written, is held against them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

from msgspec import Struct, ValidationError, convert, to_builtins

from .errors import BadInput
from .text import File, formed

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


class FileRecord(File, Record, frozen=True, kw_only=True):
    """A file of the project. ``version`` is the file format's, and only known versions are read."""

    version: Literal[1] = 1

    @classmethod
    def of_data(cls, data: Any, origin: str) -> Self:  # noqa: ANN401 - whatever the file holds
        """See :class:`File`: the first field that is wrong is named."""
        try:
            return convert(data, cls)
        except ValidationError as e:
            known = ", ".join(cls.__struct_fields__)
            raise BadInput(origin, str(e), f"Fields at the top level are: {known}.") from e

    def text(self, suffix: str = ".yaml") -> str:
        """See :class:`File`; raises BadInput rather than give what cannot be read."""
        data = self.data()
        self.of_data(data, type(self).__name__.lower())
        return formed(data, suffix)
