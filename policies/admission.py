"""The rules as the API server judges them: a ValidatingAdmissionPolicy and its binding for each."""

from __future__ import annotations

import json
from collections.abc import Sequence

from .receipt_parameter import NAME
from .rule import Document, Finding, Rule
from .scope import RECEIPT_NAMESPACE, Scope
from .settings import Settings

_API = "admissionregistration.k8s.io/v1"
# When it starts it makes sure of its own roles and bindings, and does not come up where it may not.
_NOT_ITSELF = "request.userInfo.username != 'system:apiserver'"
_NOT_JUDGED = "['apiVersion', 'kind', 'metadata', 'status']"
# Finalizers, owners and managed fields come and go on objects that were admitted under other rules: only an update
# that changes what rules look at is judged, or such an object could never be deleted.
_CHANGED = (
    "request.operation != 'UPDATE'"
    f" || dyn(object).exists(k, !(k in {_NOT_JUDGED})"
    " && (!(k in dyn(oldObject)) || dyn(object)[k] != dyn(oldObject)[k]))"
    f" || dyn(oldObject).exists(k, !(k in {_NOT_JUDGED}) && !(k in dyn(object)))"
    " || dyn(object).metadata.?labels.orValue({}) != dyn(oldObject).metadata.?labels.orValue({})"
    " || dyn(object).metadata.?annotations.orValue({}) != dyn(oldObject).metadata.?annotations.orValue({})"
)


def policy_name(rule: Rule) -> str:
    """Of the policy and of its binding."""
    return f"sealift-{rule.name}"


def admission_documents(rules: Sequence[Rule], scope: Scope, settings: Settings) -> list[Document]:
    """Policies and bindings of ``rules``, all that break one refused."""
    return [d for r in rules for d in (policy(r, settings), binding(r, scope))]


def policy(rule: Rule, settings: Settings) -> Document:
    """The ValidatingAdmissionPolicy of ``rule``. An expression that fails refuses."""
    subject = rule.subject
    resources = [
        {
            "apiGroups": [k.group],
            "apiVersions": [k.version],
            "operations": subject.operations,
            "resources": [*k.resources.values(), *k.subresources],
        }
        for k in rule.kinds
    ]
    spec: Document = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": resources},
        "variables": [
            {"name": name, "expression": text}
            for name, text in (*settings.variables(rule), *rule.used_variables(), *map(_culprits, *_numbered(rule)))
        ],
        "validations": [_validation(i, f) for i, f in zip(*_numbered(rule), strict=True)],
    }
    conditions = [{"name": "not-the-api-server-itself", "expression": _NOT_ITSELF}]
    if "UPDATE" in subject.operations:
        conditions.append({"name": "changed", "expression": _CHANGED})
    spec["matchConditions"] = conditions
    if rule.receipt:
        spec["paramKind"] = {"apiVersion": "v1", "kind": "ConfigMap"}
    return _document("ValidatingAdmissionPolicy", rule, spec)


def binding(rule: Rule, scope: Scope) -> Document:
    """Where it holds. Without the receipt nothing that needs it is admitted."""
    spec: Document = {
        "policyName": policy_name(rule),
        "validationActions": ["Deny"],
        "matchResources": {"namespaceSelector": scope.selector(rule.where)},
    }
    if rule.receipt:
        spec["paramRef"] = {"name": NAME, "namespace": RECEIPT_NAMESPACE, "parameterNotFoundAction": "Deny"}
    return _document("ValidatingAdmissionPolicyBinding", rule, spec)


def _numbered(rule: Rule) -> tuple[range, list[Finding]]:
    return range(len(rule.all_findings)), rule.all_findings


def _culprits(number: int, finding: Finding) -> tuple[str, str]:
    return f"wrong{number}", finding.expression


def _validation(number: int, finding: Finding) -> Document:
    return {
        "expression": f"variables.wrong{number}.size() == 0",
        "message": finding.says,
        "messageExpression": f"{json.dumps(finding.says + ': ')} + variables.wrong{number}.join(', ')",
        "reason": "Forbidden",
    }


def _document(kind: str, rule: Rule, spec: Document) -> Document:
    annotations = {"sealift/holds": rule.sentence, "sealift/because": rule.reason}
    metadata = {
        "name": policy_name(rule),
        "annotations": annotations,
        "labels": {"app.kubernetes.io/part-of": "sealift"},
    }
    return {"apiVersion": _API, "kind": kind, "metadata": metadata, "spec": spec}
