"""Stand-in for pulumi-resource-kubernetes, in no registry: reading ``status.conditions`` of any object."""

from __future__ import annotations

from typing import Any


def by_type(obj: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The conditions of an object by their type; empty when it reports none."""
    return {entry["type"]: entry for entry in (obj.get("status") or {}).get("conditions") or []}


def unmet(obj: dict[str, Any], name: str, wanted: str = "True") -> str | None:
    """Why a condition does not have the wanted status (letter case does not matter), or None when it has."""
    condition = by_type(obj).get(name)
    if condition is None:
        return f"condition {name} is not reported yet"
    if str(condition.get("status", "")).lower() == wanted.lower():
        return None
    reason = f"{condition.get('reason', '')} {condition.get('message', '')}".strip()
    return f"condition {name} is {condition.get('status')}: {reason}"


def unobserved(obj: dict[str, Any]) -> str | None:
    """Whether the status still speaks of an earlier generation; an object that reports none has nothing to say."""
    observed = (obj.get("status") or {}).get("observedGeneration")
    generation = obj["metadata"].get("generation")
    if observed is None or generation is None or observed >= generation:
        return None
    return f"its controller has seen generation {observed}, not {generation}"
