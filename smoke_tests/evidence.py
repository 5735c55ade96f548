"""evidence.json: what was checked, against what, with which result. The file that an auditor keeps."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Literal

from mirror.document import FileModel, Strict

from .egress import EgressLog
from .inventory import RunningImage

EVIDENCE = "evidence.json"
PAGE = "evidence.html"

Fact = str | int | float | bool | list[str]


class Group(StrEnum):
    """What a check is about, in the order in which checks run."""

    SCALE_TO_ZERO = "scale-to-zero"  # first: later calls would keep a model awake
    API = "api"
    FRONT_DOOR = "front-door"
    OPENAI = "openai"
    MTLS = "mtls"
    IMAGES = "images"
    HARDENING = "hardening"
    PEOPLE = "people"
    PRIVACY = "privacy"
    ROLLOUT = "rollout"
    ATTACKS = "attacks"
    EGRESS = "egress"  # last: the site's account of attempts is read when all that could attempt has run

    @property
    def heading(self) -> str:
        """The group's title for people."""
        return _HEADINGS[self]


_HEADINGS = {
    Group.SCALE_TO_ZERO: "Models at zero replicas",
    Group.API: "OpenAI API through the ingress gateway",
    Group.FRONT_DOOR: "Who gets in through the gateway",
    Group.OPENAI: "The OpenAI interface as its users use it",
    Group.MTLS: "Mutual TLS",
    Group.IMAGES: "What runs is what was carried",
    Group.HARDENING: "Hardening",
    Group.PEOPLE: "What people may do",
    Group.PRIVACY: "What is asked and answered is written nowhere",
    Group.ROLLOUT: "Revisions and slow starts",
    Group.ATTACKS: "What an attacker inside the cluster tries",
    Group.EGRESS: "Nothing leaves",
}


class Result(StrEnum):
    """What became of a check. ``not-asked`` is never a pass."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_ASKED = "not-asked"


class CheckResult(Strict):
    """One sentence and whether it holds."""

    group: Group
    sentence: str
    result: Result
    reason: str = ""
    """Why it failed or was not asked; empty when it passed."""
    seconds: float
    facts: dict[str, Fact] = {}
    """What the check saw: identities, digests, latencies, by name with the unit in the name or the value."""


class Totals(Strict):
    """How many checks had which result."""

    passed: int
    failed: int
    not_asked: int


class Subject(Strict):
    """What was tested, so that nobody can mistake it for another."""

    stack: str
    cluster: str
    """The UID of the kube-system namespace."""
    kubernetes: str
    domain: str
    gateway: str
    """``address:port`` that was called."""
    registry: str
    bundle: str
    receipt_sha256: str


class Section(Strict):
    """A table that whoever operated the run adds: steps with durations, stand-ins that were active."""

    title: str
    note: str = ""
    columns: list[str]
    rows: list[list[str | int | float]]


class Sections(FileModel):
    """A file of tables to add to the evidence."""

    sections: list[Section]


class Evidence(FileModel):
    """The whole record of one run."""

    when: datetime
    seconds: float
    verdict: Literal["passed", "failed"]
    """``passed``: no check failed, and at least one passed."""
    environment: Subject
    totals: Totals
    checks: list[CheckResult]
    running: list[RunningImage]
    """Every container and image volume of the platform's namespaces, with its digest and upstream name."""
    egress: EgressLog | None = None
    """The site's own account of attempted egress; None when it keeps none."""
    sections: list[Section] = []

    def with_sections(self, *sections: Section) -> Evidence:
        """The same evidence with tables added after those that it has."""
        return self.model_copy(update={"sections": [*self.sections, *sections]})


def conclude(
    environment: Subject,
    checks: list[CheckResult],
    running: list[RunningImage],
    *,
    egress: EgressLog | None = None,
    seconds: float,
    when: datetime | None = None,
) -> Evidence:
    """The evidence of ``checks``. ``when`` (start of the run) defaults to now, in UTC."""
    count = {r: sum(c.result is r for c in checks) for r in Result}
    return Evidence(
        when=when or datetime.now(UTC),
        seconds=round(seconds, 1),
        verdict="passed" if count[Result.PASSED] and not count[Result.FAILED] else "failed",
        environment=environment,
        totals=Totals(passed=count[Result.PASSED], failed=count[Result.FAILED], not_asked=count[Result.NOT_ASKED]),
        checks=checks,
        running=running,
        egress=egress,
    )
