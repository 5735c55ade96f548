"""The rules' CEL, evaluated here: what the API server would say to a document, before it is sent there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext import ext_optional, ext_strings

from .rule import Document, Rule
from .scope import Scope
from .settings import Settings

_NAMES = ("object", "oldObject", "request", "params", "variables")


@dataclass(frozen=True)
class Judge:
    """The rules as they hold at one site."""

    rules: Sequence[Rule]
    receipt: Mapping[str, str]
    """``data`` of the receipt's ConfigMap: see receipt_parameter.py."""
    scope: Scope
    settings: Settings

    def violations(self, rule: Rule, document: Document, groups: Sequence[str] = ()) -> Iterator[str]:
        """What ``rule`` says against ``document``, made by a user of ``groups``; nothing about what it does not judge.

        A document that makes an expression fail is refused, as the API server would.
        """
        group, kind = _group(document), document["kind"]
        namespace = (document.get("metadata") or {}).get("namespace")
        if kind == "Namespace" and not group:
            namespace = document["metadata"]["name"]
        if not rule.judges(group, kind) or not self.scope.holds(rule.where, namespace):
            return
        known: dict[str, Any] = {
            "object": document,
            "oldObject": None,
            "request": {
                "operation": rule.subject.operations[0],
                "kind": {"group": group, "kind": kind},
                "userInfo": {"groups": list(groups)},
            },
            "params": {"data": dict(self.receipt)},
        }
        variables: dict[str, Any] = {}
        for name, text in (*self.settings.variables(rule), *rule.used_variables()):
            variables[name] = _evaluated(text, {**known, "variables": variables})
            if isinstance(variables[name], Unjudged):
                yield f"cannot be judged: {variables[name].why}"
                return
        for finding in rule.all_findings:
            culprits = _evaluated(finding.expression, {**known, "variables": variables})
            if isinstance(culprits, Unjudged):
                yield f"cannot be judged: {culprits.why}"
            elif culprits:
                yield f"{finding.says}: {', '.join(culprits)}"


@dataclass(frozen=True)
class Unjudged:
    """An expression that gave no value."""

    why: str


def _evaluated(text: str, data: Mapping[str, Any]) -> Any:  # noqa: ANN401 - whatever the expression yields
    found = _compiled(text).eval(data=data)
    if found.type() == cel.Type.ERROR:
        return Unjudged(f"{found.value()} in {text}")
    return found.plain_value()


@cache
def _compiled(text: str) -> cel.Expression:
    return _environment().compile(text)


@cache
def _environment() -> cel.Env:
    dynamic = dict.fromkeys(_NAMES, cel.Type.DYN)
    return cel.NewEnv(variables=dynamic, extensions=[ext_optional.ExtOptional(), ext_strings.ExtStrings()])


def _group(document: Document) -> str:
    group, slash, _ = str(document["apiVersion"]).rpartition("/")
    return group if slash else ""
