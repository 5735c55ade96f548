"""Whether something may be redistributed: its SPDX expression against the catalog's allow list.

Grammar and identifiers: the SPDX specification, annex "SPDX license expressions", through license-expression.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from typing import Any

import license_expression  # type: ignore[import-untyped]

from .errors import BadInput


def refused(what: str, expression: str, allowed: Collection[str]) -> set[str]:
    """The identifiers for want of which ``allowed`` does not satisfy ``expression``; empty when it does.

    ``OR`` needs one side, ``AND`` both; ``X WITH Y`` must be in ``allowed`` as these words. ``LicenseRef-`` names,
    for terms that have no identifier, are allowed by being listed. Raises BadInput for what is no SPDX expression.
    """
    return _refused(_parse(what, expression), frozenset(allowed))


def chosen(what: str, expression: str, allowed: Collection[str]) -> set[str]:
    """The identifiers of an allowed ``expression`` under which something is taken: of an ``OR``, one side."""
    return _chosen(_parse(what, expression), frozenset(allowed))


def named(what: str, expression: str) -> set[str]:
    """Every identifier in ``expression``; raises BadInput."""
    return _refused(_parse(what, expression), frozenset(), every_side=True)


def check_list(allowed: Collection[str]) -> None:
    """Refuse an allow list that holds anything but single SPDX identifiers; raises BadInput."""
    for name in allowed:
        if _operands(_parse("the allow list", name)) is not None:
            raise BadInput(f"allow list: {name!r}", "it is an expression", "List single identifiers.")


def joined(expressions: Collection[str]) -> str:
    """One expression for something that is under all of ``expressions``."""
    each = sorted(set(expressions))
    return each[0] if len(each) == 1 else " AND ".join(f"({x})" if " " in x else x for x in each)


def _parse(what: str, expression: str) -> Any:  # noqa: ANN401 - the library is untyped
    try:
        parsed = _licensing().parse(expression, validate=False)
        unknown = [k for k in _licensing().unknown_license_keys(parsed) if not k.startswith("LicenseRef-")]
        if parsed is None or unknown:
            raise BadInput(
                f"{what}, licence {expression!r}",
                f"{', '.join(unknown) or 'it'} is no SPDX identifier",
                "See https://spdx.org/licenses; terms without an identifier are named LicenseRef-<name>.",
            )
    except license_expression.ExpressionError as e:
        raise BadInput(
            f"{what}, licence {expression!r}", f"no SPDX expression: {e}", "Write A, A OR B, A AND B."
        ) from e
    return parsed


def _operands(parsed: Any) -> tuple[bool, list[Any]] | None:  # noqa: ANN401 - the library is untyped
    """Whether all of these must hold, and these; None for a single licence."""
    if isinstance(parsed, _licensing().AND | _licensing().OR):
        return isinstance(parsed, _licensing().AND), list(parsed.args)
    return None


def _refused(parsed: Any, allowed: frozenset[str], *, every_side: bool = False) -> set[str]:  # noqa: ANN401 - untyped
    operands = _operands(parsed)
    if operands is None:
        name = str(parsed.render())
        return set() if name in allowed else {name}
    every, parts = operands
    lacking = [_refused(p, allowed, every_side=every_side) for p in parts]
    if not every and not every_side and not all(lacking):
        return set()
    return set().union(*lacking)


def _chosen(parsed: Any, allowed: frozenset[str]) -> set[str]:  # noqa: ANN401 - the library is untyped
    operands = _operands(parsed)
    if operands is None:
        return {str(parsed.render())}
    every, parts = operands
    taken = parts if every else [next(p for p in parts if not _refused(p, allowed))]
    return set().union(*(_chosen(p, allowed) for p in taken))


@cache
def _licensing() -> Any:  # noqa: ANN401 - the library is untyped
    return license_expression.get_spdx_licensing()
