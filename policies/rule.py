"""The rules as they are written down in rules/*.yaml: what is refused, why, where, and what shows it.

A rule is said once, in CEL, and judged twice: before an update by the policy pack (judge.py), afterwards and against
everybody by the API server (admission.py). Both read the same text. Of CEL, a rule may use what both know: the
standard macros and functions, optional values (``a.?b.orValue(c)``) and the strings extension.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from mirror.document import FileModel, Strict
from mirror.errors import BadInput

HERE = Path(__file__).resolve().parent
FLATTENED = 8
"""How many lists of a list are looked into: CEL cannot join a list of lists."""
_OBJECT = "dyn(object)"
# One policy judges many kinds: without dyn the API server would hold every expression against each kind's schema, and
# warn of fields that only another kind has.
_USED = re.compile(r"\bvariables\.(\w+)")

Where = Literal["guarded", "off-node", "tenants", "models", "platform"]
"""In which namespaces a rule holds: see scope.py. Objects without a namespace are judged wherever."""
Document = dict[str, Any]


class Kinds(Strict):
    """Kinds of one API group that a rule judges."""

    group: str
    version: str
    resources: dict[str, str]
    """Kind -> resource, as in the API's paths."""
    subresources: list[str] = []
    """``<resource>/<subresource>`` whose requests carry one of these kinds."""

    def narrowed(self, only: Sequence[str]) -> Kinds | None:
        """These, without all that are not in ``only`` (empty: nothing is left out)."""
        if not only:
            return self
        left = {kind: resource for kind, resource in self.resources.items() if kind in only}
        return self.model_copy(update={"resources": left, "subresources": []}) if left else None


class Variable(Strict):
    """A named CEL expression. Exactly one of the two texts is given."""

    name: str
    expression: str | None = None
    perPod: str | None = None
    """A list for each ``p`` of ``variables.pods``: the variable is all of them in one list."""
    before: bool = False
    """Also as ``<name>Before``, of the object as it was; empty unless the request is an update."""

    def expressions(self) -> Iterator[tuple[str, str]]:
        """Name and CEL text of every variable that this one stands for."""
        if self.perPod is not None:
            lists = f"{self.name}PerPod"
            yield lists, f"variables.pods.map(p, {self.perPod})"
            yield self.name, " + ".join(f"variables.{lists}[?{i}].orValue([])" for i in range(FLATTENED))
            return
        assert self.expression is not None
        yield self.name, self.expression.replace("OBJECT", _OBJECT)
        if self.before:
            old = self.expression.replace("OBJECT", "dyn(oldObject)")
            yield f"{self.name}Before", f"request.operation != 'UPDATE' ? [] : {old}"


class Finding(Strict):
    """One thing that a rule refuses."""

    says: str
    """What is wrong, in words that end where the list of culprits begins."""
    each: str
    """CEL: a list of strings, one for each culprit; empty when nothing is wrong."""

    @property
    def expression(self) -> str:
        """The CEL text as it is evaluated."""
        return self.each.replace("OBJECT", _OBJECT)


class Subject(Strict):
    """What rules are about."""

    name: str
    kinds: list[Kinds]
    operations: list[str] = ["CREATE", "UPDATE"]
    variables: list[Variable] = []
    findings: list[Finding] = []
    """Refused by every rule about this subject."""


class Clauses(Strict):
    """Where a rule comes from."""

    nsa: list[str] = []
    """Sections of the NSA/CISA Kubernetes Hardening Guidance, version 1.2."""
    cis: list[str] = []
    """Recommendations of the CIS Kubernetes Benchmark, version 1.12."""
    pss: list[str] = []
    """Controls of Kubernetes' Pod Security Standards, by profile."""


class Example(Strict):
    """A document that shows a rule: one of examples.yaml with changes."""

    of: str
    """Name in examples.yaml."""
    change: dict[str, Any] = {}
    """JSON pointer (RFC 6901) -> new value; null removes what is there."""
    why: str = ""
    """What the example shows."""
    groups: list[str] = []
    """The groups of whoever asks, where a rule looks at that."""
    alsoBreaks: list[str] = []
    """Other rules that it cannot but break: the API server takes no privileged container that may not escalate."""


class Rule(Strict):
    """One rule. ``name`` is the policy's in Pulumi and, after ``sealift-``, in the cluster."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    sentence: str
    """What holds."""
    reason: str
    """What it is good for."""
    about: Subject | str
    """A subject of subjects.yaml by name, or one of this rule alone."""
    only: list[str] = []
    """Of the subject's kinds, those that it judges; empty: all."""
    also: list[Kinds] = []
    """Kinds judged beside the subject's."""
    where: Where
    receipt: bool = False
    """Whether ``params.data`` is what arrived: digest (hex) -> its names in the internal registry."""
    clauses: Clauses
    variables: list[Variable] = []
    findings: list[Finding]
    conforms: list[Example]
    breaks: list[Example]

    @property
    def subject(self) -> Subject:
        """What it is about."""
        return self.about if isinstance(self.about, Subject) else subjects()[self.about]

    @property
    def kinds(self) -> list[Kinds]:
        """Every kind that it judges."""
        return [*filter(None, (k.narrowed(self.only) for k in self.subject.kinds)), *self.also]

    @property
    def all_findings(self) -> list[Finding]:
        """Its own and its subject's."""
        return [*self.findings, *self.subject.findings]

    def used_variables(self) -> list[tuple[str, str]]:
        """Name and CEL text of the variables that its findings need, each after those that it needs itself."""
        known = [e for v in (*self.subject.variables, *self.variables) for e in v.expressions()]
        needed = {n for f in self.all_findings for n in _USED.findall(f.expression)}
        for name, text in reversed(known):
            if name in needed:
                needed |= set(_USED.findall(text))
        return [(name, text) for name, text in known if name in needed]

    def judges(self, group: str, kind: str) -> bool:
        """Whether documents of this kind are its business."""
        return any(k.group == group and kind in k.resources for k in self.kinds)


class _RuleFile(FileModel):
    rules: list[Rule]


class _SubjectFile(FileModel):
    subjects: list[Subject]


@cache
def subjects() -> dict[str, Subject]:
    """The subjects of subjects.yaml, by name."""
    return {s.name: s for s in _SubjectFile.read(HERE / "subjects.yaml").subjects}


@cache
def rules() -> Sequence[Rule]:
    """Every rule, in the order of the files' names; raises BadInput when two have one name."""
    found = [r for path in sorted((HERE / "rules").glob("*.yaml")) for r in _RuleFile.read(path).rules]
    names = [r.name for r in found]
    if twice := sorted({n for n in names if names.count(n) > 1}):
        raise BadInput("policies/rules", f"rule {', '.join(twice)} is there twice", "Give each rule a name of its own.")
    return tuple(found)
