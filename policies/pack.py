"""From the rules to what Pulumi calls: one mandatory resource policy each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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
from .hidden import NAME, SENTENCE, hidden_images
from .judge import Judge
from .rule import Document, rules
from .scope import Scope

Check = Callable[[Document], Iterator[str]]


def policies(expected: Expected) -> list[Policy]:
    """A mandatory policy for each rule, and one for the images that only a walk through a document finds."""
    judge = Judge(rules(), expected.receipt, Scope(), expected.settings)
    checks: list[tuple[str, str, Check]] = [(r.name, r.sentence, partial(judge.violations, r)) for r in rules()]
    checks.append((NAME, SENTENCE, partial(hidden_images, expected=expected)))
    return [
        ResourceValidationPolicy(name, sentence, partial(_validate, check), EnforcementLevel.MANDATORY)
        for name, sentence, check in checks
    ]


def plain(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """``value`` as plain lists and mappings, as the API server would store it: without nulls.

    What is not known before the update is left out: it is judged then.
    """
    if isinstance(value, Mapping):
        found = {k: plain(value[k]) for k in value if _known(value, k)}
        return {k: v for k, v in found.items() if v is not None}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(value[i]) for i in range(len(value)) if _known(value, i)]
    # Pulumi's numbers are all floating point; Kubernetes' whole ones are not.
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _known(value: Any, key: Any) -> bool:  # noqa: ANN401 - a mapping or a sequence
    try:
        value[key]
    except UnknownValueError:
        return False
    return True


def _validate(check: Check, args: ResourceValidationArgs, report: ReportViolation) -> None:
    if not args.resource_type.startswith("kubernetes:"):
        return
    document = plain(args.props)
    if "kind" not in document:
        return
    for violation in check(document):
        report(f"{args.name}: {violation}", args.urn)
