"""Stand-in for pulumi-resource-kubernetes, in no registry: automatic names, as documented.

An object without ``metadata.name`` gets the resource's name and a random suffix, is marked by an annotation, and keeps
its name for as long as it is not replaced.
"""

from __future__ import annotations

from typing import Any

from testbed.pulumi.provider import annotation

SUFFIX_DIGITS = 8


class NameRequired(Exception):
    """Automatic naming is disabled and the object has no name."""


def assign(
    inputs: dict[str, Any], old_inputs: dict[str, Any], resource: str, seed: bytes, proposal: str | None
) -> None:
    """Name the inputs in place when they have no name.

    ``proposal`` is the engine's own choice (its ``autonaming`` configuration): None when it makes none, empty when
    naming is disabled.
    """
    metadata = inputs["metadata"]
    if metadata.get("name") or metadata.get("generateName"):
        return
    name = _adopted(old_inputs)
    if name is None and proposal == "":
        raise NameRequired("automatic naming is disabled: metadata.name is required")
    metadata["name"] = name or proposal or f"{resource}-{seed.hex()[:SUFFIX_DIGITS]}"
    metadata["annotations"] = {**annotation.of(inputs), annotation.AUTONAMED: "true"}


def _adopted(old_inputs: dict[str, Any]) -> str | None:
    if not annotation.is_true(old_inputs, annotation.AUTONAMED):
        return None
    name = old_inputs["metadata"].get("name")
    return name if isinstance(name, str) else None
