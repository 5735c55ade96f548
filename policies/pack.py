"""From the rules to what Pulumi calls: one mandatory resource policy each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError

from .expected import Expected
from .rules import RULES, NamedRule


def policies(expected: Expected) -> list[Policy]:
    """A mandatory policy for each rule."""
    return [
        ResourceValidationPolicy(r.name, r.description, partial(_validate, r, expected), EnforcementLevel.MANDATORY)
        for r in RULES
    ]


def plain(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """``value`` as plain lists and mappings. What is not known before the update is left out: it is judged then."""
    if isinstance(value, Mapping):
        return {k: plain(value[k]) for k in value if _known(value, k)}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(value[i]) for i in range(len(value)) if _known(value, i)]
    return value


def _known(value: Any, key: Any) -> bool:  # noqa: ANN401 - a mapping or a sequence
    try:
        value[key]
    except UnknownValueError:
        return False
    return True


def _validate(rule: NamedRule, expected: Expected, args: ResourceValidationArgs, report: ReportViolation) -> None:
    if not args.resource_type.startswith("kubernetes:"):
        return
    document = plain(args.props)
    if "kind" not in document:
        return
    for violation in rule.check(document, expected):
        report(f"{args.name}: {violation}", args.urn)
