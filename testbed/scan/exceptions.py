"""policies/exceptions.yaml: which findings are accepted, why, and until when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from fnmatch import fnmatchcase
from itertools import product
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from mirror.document import FileModel, Strict
from mirror.errors import BadInput

from .findings import Finding, Scanned

LONGEST = timedelta(days=366)
"""No exception holds longer without somebody looking at it again."""

Pattern = Annotated[str, StringConstraints(pattern=r"^[a-z]+(/[a-z0-9*?.:\[\]-]+){1,2}$")]
"""An object's key; ``*`` and ``?`` may stand in namespace and name, never for the kind."""


Reason = Annotated[str, StringConstraints(min_length=20)]


class Accepted(Strict):
    """Rules that are accepted for one reason, each in every object that is named and in no other."""

    rules: dict[str, Annotated[list[str], Field(min_length=1)]] = Field(min_length=1)
    """Rules by scanner: what several scanners say of the same thing is accepted once."""
    objects: list[Pattern] = Field(min_length=1)
    reason: Reason
    """For a security officer: why it cannot be mended, or why it does no harm here."""
    until: date
    """The last day on which it holds."""

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Scanner and rule, one after another."""
        return [(scanner, rule) for scanner, rules in self.rules.items() for rule in rules]

    @property
    def title(self) -> str:
        """The rules, for messages and tables."""
        return ", ".join(f"{scanner} {rule}" for scanner, rule in self.pairs)

    def covers(self, finding: Finding) -> bool:
        """Whether it speaks of ``finding``, in force or not."""
        return finding.rule in self.rules.get(finding.scanner, ()) and any(
            matches(p, finding.object) for p in self.objects
        )


class LeftOut(Strict):
    """A rule that is not asked at all: no object can keep it, or the scanner fails at it."""

    scanner: Literal["kics"]
    rule: str
    reason: Reason
    until: date

    @property
    def title(self) -> str:
        """The rule, for messages."""
        return f"{self.scanner} {self.rule}"


class Exceptions(FileModel):
    """The file."""

    left_out: list[LeftOut] = []
    exceptions: list[Accepted]


@dataclass(frozen=True)
class Unused:
    """What of an exception no finding needs."""

    scanner: str
    rule: str
    pattern: str


@dataclass(frozen=True)
class Verdict:
    """Findings and exceptions held against each other. Only ``accepted`` and ``absent`` are no failure."""

    open: list[Finding] = field(default_factory=list)
    """Accepted by nobody."""
    expired: list[tuple[Finding, Accepted]] = field(default_factory=list)
    accepted: list[tuple[Finding, Accepted]] = field(default_factory=list)
    idle: list[Unused] = field(default_factory=list)
    """Rule and pattern whose objects were scanned and have no such finding: it must go."""
    absent: list[Unused] = field(default_factory=list)
    """Rule and pattern that met no scanned object."""


def matches(pattern: str, key: str) -> bool:
    """Whether ``key`` fits ``pattern`` part by part: a ``*`` stays inside its part."""
    ours, theirs = pattern.split("/"), key.split("/")
    return len(ours) == len(theirs) and all(fnmatchcase(k, p) for p, k in zip(ours, theirs, strict=True))


def reviewed(exceptions: Exceptions, today: date) -> Exceptions:
    """``exceptions``; raises BadInput for one that would hold for more than a year from ``today``.

    A rule that is left out beyond its day is refused too, since nothing else would ever notice it.
    """
    for gone in exceptions.left_out:
        if gone.until < today:
            raise BadInput(
                f"rule {gone.title}",
                f"it was to be left out until {gone.until}",
                "Ask it again; if it still cannot be kept, say so with a new date.",
            )
    every: list[Accepted | LeftOut] = [*exceptions.exceptions, *exceptions.left_out]
    for e in every:
        if e.until - today > LONGEST:
            raise BadInput(
                f"exception {e.title}",
                f"it holds until {e.until}, which is more than a year",
                f"Let it end by {today + LONGEST} at the latest, so that somebody looks at it again.",
            )
    return exceptions


def judge(scanned: Iterable[Scanned], exceptions: Exceptions, today: date) -> Verdict:
    """Hold the findings of ``scanned`` against ``exceptions``; the first that covers a finding takes it."""
    verdict, listed = Verdict(), list(scanned)
    findings = {(f.scanner, f.rule, f.object): f for s in listed for f in s.findings}
    used: set[tuple[int, str, str, str]] = set()
    for f in findings.values():
        number, found = next(((i, e) for i, e in enumerate(exceptions.exceptions) if e.covers(f)), (-1, None))
        if found is None:
            verdict.open.append(f)
            continue
        used |= {(number, f.scanner, f.rule, p) for p in found.objects if matches(p, f.object)}
        (verdict.accepted if today <= found.until else verdict.expired).append((f, found))
    keys = _keys_by_scanner(listed)
    for number, e in enumerate(exceptions.exceptions):
        for (scanner, rule), p in product(e.pairs, e.objects):
            if (number, scanner, rule, p) not in used:
                there = any(matches(p, k) for k in keys.get(scanner, ()))
                (verdict.idle if there else verdict.absent).append(Unused(scanner, rule, p))
    return verdict


def _keys_by_scanner(scanned: list[Scanned]) -> Mapping[str, set[str]]:
    keys: dict[str, set[str]] = {}
    for s in scanned:
        keys.setdefault(s.scanner, set()).update(s.keys)
    return keys
