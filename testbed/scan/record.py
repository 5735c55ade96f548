"""scan.json: what was scanned by what, what was found, and what was accepted; and its tables for the evidence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Literal

from mirror.document import FileModel
from smoke_tests.evidence import Section

from .exceptions import Accepted, Exceptions, Verdict
from .findings import Finding, Scanned

RECORD = "scan.json"

_SCANNED = (
    "One file for each object; that every object was read is asserted, and so is that each scanner finds the objects "
    "which are planted beside them and are wrong on purpose."
)
_ACCEPTED = (
    "Findings that are not mended, one by one, from policies/exceptions.yaml. After its day an entry is a failure."
)
_LEFT_OUT = "Rules that are not asked of any object, from policies/exceptions.yaml."


class Record(FileModel):
    """The file."""

    when: datetime
    verdict: Literal["passed", "failed"]
    scanned: list[Scanned]
    open: list[Finding]
    """Findings that no exception in force covers."""
    exceptions: Exceptions
    """As they were at the time."""
    problems: list[str]
    """What is wrong with the exceptions: expired, or without a finding."""


def conclude(scanned: Iterable[Scanned], exceptions: Exceptions, verdict: Verdict, *, partial: bool) -> Record:
    """The record of a scan. ``partial``: not everything is given, so exceptions that nothing needs are no problem."""
    problems = [f"exception {f.scanner} {f.rule} for {f.object} ended on {e.until}" for f, e in verdict.expired]
    if not partial:
        problems += [f"exception {u.scanner} {u.rule}: {u.pattern} has no such finding any more" for u in verdict.idle]
        problems += [f"exception {u.scanner} {u.rule}: there is no object {u.pattern}" for u in verdict.absent]
    return Record(
        when=datetime.now(UTC),
        verdict="failed" if verdict.open or problems else "passed",
        scanned=list(scanned),
        open=verdict.open,
        exceptions=exceptions,
        problems=problems,
    )


def sections(record: Record) -> list[Section]:
    """The record as tables."""
    unaccepted = {(f.scanner, f.rule, f.object) for f in record.open}
    rows: list[list[str | int | float]] = []
    for s in record.scanned:
        unsettled = sum((f.scanner, f.rule, f.object) in unaccepted for f in s.findings)
        found = len(s.findings)
        rows.append([s.subject, f"{s.scanner} {s.version}", s.objects, found, found - unsettled, unsettled, s.seconds])
    columns = ["what", "scanner", "objects", "findings", "accepted", "open", "seconds"]
    tables = [Section(title="Scanners", note=_SCANNED, columns=columns, rows=rows)]
    met = Counter(id(e) for s in record.scanned for f in s.findings for e in _covering(record.exceptions, f))
    accepted: list[list[str | int | float]] = [
        [e.title, met[id(e)], ", ".join(e.objects), e.reason, str(e.until)]
        for e in record.exceptions.exceptions
        if met[id(e)]
    ]
    columns = ["rules", "findings", "objects", "why", "until"]
    tables.append(Section(title="Accepted findings", note=_ACCEPTED, columns=columns, rows=accepted))
    gone: list[list[str | int | float]] = [
        [r.scanner, r.rule, r.reason, str(r.until)] for r in record.exceptions.left_out
    ]
    tables.append(
        Section(title="Rules left out", note=_LEFT_OUT, columns=["scanner", "rule", "why", "until"], rows=gone)
    )
    return tables


def _covering(exceptions: Exceptions, finding: Finding) -> list[Accepted]:
    return [e for e in exceptions.exceptions if e.covers(finding)][:1]
