"""Stand-in for pulumi-resource-kubernetes, in no registry: how old and new inputs differ.

As documented for 4.x, new inputs are compared with the last known live object, seen through the shape of the old
inputs, so that drift which a refresh brought in shows, and fields that only the cluster sets do not.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from enum import IntEnum
from typing import Any

from testbed.pulumi.provider.properties import UNKNOWNS, Json, Path


class Change(IntEnum):
    """The kinds of PropertyDiff; one more is the same change with a replacement."""

    ADD = 0
    DELETE = 2
    UPDATE = 4


def prune(live: Json, inputs: Json) -> Json:
    """The live values of what the inputs name. Lists go by position."""
    if isinstance(live, dict) and isinstance(inputs, dict):
        return {key: prune(live[key], item) for key, item in inputs.items() if key in live}
    if isinstance(live, list) and isinstance(inputs, list):
        return [prune(left, right) for left, right in zip(live, inputs, strict=False)]
    return live


def before(live: Json, inputs: Json) -> Json:
    """What a built-in object was before a change: live values, and inputs that the server did not keep.

    The server drops empty and unknown fields of its own types; the official provider drops them too before it compares.
    """
    if isinstance(live, dict) and isinstance(inputs, dict):
        return {key: before(live[key], item) if key in live else item for key, item in inputs.items()}
    if isinstance(live, list) and isinstance(inputs, list):
        return [before(left, right) for left, right in zip(live, inputs, strict=False)]
    return live


def changes(old: Json, new: Json, *, typed: bool, path: Path = ()) -> Iterator[tuple[Path, Change]]:
    """Every leaf that differs. ``typed``: a built-in kind, where absent and empty, 1 and "1000m" are the same."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            yield from _entry(old, new, key, typed=typed, path=(*path, key))
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            if index >= len(new):
                yield (*path, index), Change.DELETE
            elif index >= len(old):
                yield (*path, index), Change.ADD
            else:
                yield from changes(old[index], new[index], typed=typed, path=(*path, index))
    elif not _same(old, new, typed=typed):
        yield path, Change.UPDATE


def _entry(
    old: dict[str, Any], new: dict[str, Any], key: str, *, typed: bool, path: Path
) -> Iterator[tuple[Path, Change]]:
    if key not in new:
        if not _counts_as_absent(old[key], typed=typed):
            yield path, Change.DELETE
    elif key not in old:
        if not _counts_as_absent(new[key], typed=typed):
            yield path, Change.ADD
    else:
        yield from changes(old[key], new[key], typed=typed, path=path)


def _counts_as_absent(value: Json, *, typed: bool) -> bool:
    if value is None:
        return True
    if not typed:
        return False
    if isinstance(value, dict):
        return all(_counts_as_absent(item, typed=True) for item in value.values())
    return value in ("", [], False, 0)


def _same(old: Json, new: Json, *, typed: bool) -> bool:
    if isinstance(new, str) and new in UNKNOWNS:
        return False
    if isinstance(old, bool) or isinstance(new, bool):
        return old is new or (typed and not old and not new)
    if old == new:
        return True
    if not typed:
        return False
    left, right = quantity(old), quantity(new)
    return left is not None and left == right


_UNITS = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY_UNITS = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}


def quantity(value: Json) -> Decimal | None:
    """A Kubernetes quantity as a number ("1000m" and 1 are the same), or None when the value is no quantity."""
    text = str(value)
    try:
        if text[-2:] in _BINARY_UNITS:
            return Decimal(text[:-2]) * Decimal(1024) ** _BINARY_UNITS[text[-2:]]
        if text[-1:] in _UNITS:
            return Decimal(text[:-1]).scaleb(_UNITS[text[-1:]])
        return Decimal(text)
    except InvalidOperation:
        return None
