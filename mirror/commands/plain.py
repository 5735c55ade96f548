"""Reading plain values from the command line without pydantic, which takes a tenth of a second to import.

Typer has pydantic read every value, also what is only text, a path or a switch. Those are read here, paths judged by
typer's own function; all others, and all of them should a later typer be made otherwise, stay with typer: slower, and
no different.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

PLAIN = (str, bool, Path, list[str], list[Path])
"""The types that are read here."""


class PlainCommand(TyperCommand):
    """A command whose plain values are read here."""

    def get_params(self, ctx: Any) -> Any:  # noqa: ANN401 - typer's own
        """The parameters, with what reads them."""
        return _read_plainly(super().get_params(ctx))


class PlainGroup(TyperGroup):
    """A group whose own options are read here."""

    def get_params(self, ctx: Any) -> Any:  # noqa: ANN401 - typer's own
        """The parameters, with what reads them."""
        return _read_plainly(super().get_params(ctx))


def plain(group: typer.Typer) -> typer.Typer:
    """``group``, whose commands read their plain values here."""
    for command in group.registered_commands:
        command.cls = PlainCommand
    return group


def _read_plainly(parameters: Sequence[Any]) -> Sequence[Any]:
    with contextlib.suppress(ImportError, AttributeError, TypeError):
        from typer._coercion import RuntimeParam, build_runtime_param
        from typer._param_types import coerce_cli_path

        class Plain(RuntimeParam):
            def _coerce_value(self, value: Any, param: Any, ctx: Any) -> Any:  # noqa: ANN401 - typer's own
                if isinstance(value, list | tuple):
                    return [self._coerce_value(v, param, ctx) for v in value]
                if self.annotation is bool:  # A switch is True or False already; but not out of the environment.
                    return build_runtime_param(param.type_descriptor).coerce(value, param, ctx)
                if self.annotation in (str, list[str]):
                    return value
                return coerce_cli_path(Path(value), self.parameter_info, path_type=Path, param=param, ctx=ctx)

        for parameter in parameters:
            described = parameter.type_descriptor
            if described.annotation in PLAIN and described.parameter_info.parser is None:
                parameter._runtime_param = Plain(described.parameter_info, described.annotation)
    return parameters
