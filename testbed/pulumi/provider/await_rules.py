"""Stand-in for pulumi-resource-kubernetes, in no registry: which rule an object is waited for with.

``pulumi.com/skipAwait`` wins over ``pulumi.com/waitFor``, which wins over the rule of the kind.
"""

from __future__ import annotations

from typing import Any

from testbed.pulumi.provider import annotation, conditions, jsonpath
from testbed.pulumi.provider.endpoints import ServiceRule, ready_now
from testbed.pulumi.provider.readiness import RULES, Reader, Rule

Object = dict[str, Any]

# A refresh looks at these kinds once and reports those that are not ready; at others it does not look.
_READ_ONCE = {"Deployment", "StatefulSet", "DaemonSet", "Job", "Pod", "Service", "Ingress"}


def rule_for(manifest: Object) -> Rule | None:
    """The rule to wait with after a create or an update, or None when there is nothing to wait for."""
    if annotation.is_true(manifest, annotation.SKIP_AWAIT):
        return None
    expressions = annotation.wait_expressions(manifest)
    if expressions:
        return _all_of([_expression_rule(text) for text in expressions])
    key = group_kind(manifest)
    return ServiceRule() if key == ("", "Service") else RULES.get(key)


def refresh_rule_for(manifest: Object) -> Rule | None:
    """The rule for a single look during a refresh, or None for kinds that a refresh does not judge."""
    group, kind = group_kind(manifest)
    if kind not in _READ_ONCE or annotation.is_true(manifest, annotation.SKIP_AWAIT):
        return None
    return ready_now if (group, kind) == ("", "Service") else RULES.get((group, kind))


def group_kind(manifest: Object) -> tuple[str, str]:
    """The API group (empty for the core group) and the kind of an object."""
    version = manifest["apiVersion"]
    return (version.split("/")[0] if "/" in version else "", manifest["kind"])


def _expression_rule(text: str) -> Rule:
    """One expression of ``pulumi.com/waitFor``: ``condition=Name[=Status]`` or ``jsonpath={.path}[=value]``."""
    if text.startswith("condition="):
        name, _, wanted = text.removeprefix("condition=").partition("=")
        return lambda obj, _api: conditions.unobserved(obj) or conditions.unmet(obj, name, wanted or "True")
    if text.startswith("jsonpath="):
        expression = jsonpath.parse(text)
        return lambda obj, _api: conditions.unobserved(obj) or expression.unmet(obj)
    raise ValueError(f'{annotation.WAIT_FOR}: expected a "jsonpath=" or "condition=" prefix, got {text!r}')


def _all_of(rules: list[Rule]) -> Rule:
    def check(obj: Object, api: Reader) -> str | None:
        return next((reason for rule in rules if (reason := rule(obj, api)) is not None), None)

    return check
