from __future__ import annotations

import io
from datetime import date

import pytest
from rich.console import Console

from mirror.errors import ChecksFailed
from testbed.scan import record, run
from testbed.scan.exceptions import Accepted, Exceptions, LeftOut, judge
from testbed.scan.findings import Finding, Scanned
from testbed.scan.record import Record
from testbed.scan.subjects import Subject

TODAY = date(2026, 6, 1)
WHY = "upstream cannot do without it"


def finding(thing: str) -> Finding:
    return Finding(scanner="checkov", rule="R1", title="It should be so", object=thing, message="spec.x")


def scanned(*objects: str) -> Scanned:
    return Scanned(
        subject="dev as applied",
        scanner="checkov",
        version="3",
        objects=9,
        seconds=1.5,
        findings=[finding(o) for o in objects],
        keys=[*objects, "pod/a/mended"],
    )


def concluded(scan: Scanned, *patterns: str, until: date = TODAY, partial: bool = False) -> Record:
    listed = [Accepted(rules={"checkov": ["R1"]}, objects=[p], reason=WHY, until=until) for p in patterns]
    left_out = [LeftOut(scanner="kics", rule="R2", reason=WHY, until=TODAY)]
    exceptions = Exceptions(left_out=left_out, exceptions=listed)
    return record.conclude([scan], exceptions, judge([scan], exceptions, TODAY), partial=partial)


def told(found: Record) -> str:
    console = Console(file=io.StringIO(), width=300)
    run.tell(found, console)
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def test_a_scan_whose_findings_are_all_accepted_passes() -> None:
    found = concluded(scanned("pod/a/x"), "pod/a/x")
    assert found.verdict == "passed"
    assert told(found) == "Passed: 9 objects, 1 findings, each accepted for a reason.\n"


def test_an_open_finding_fails_the_scan_and_is_named() -> None:
    found = concluded(scanned("pod/a/x", "pod/a/y"), "pod/a/x")
    assert [f.object for f in found.open] == ["pod/a/y"]
    with pytest.raises(ChecksFailed, match="1 open findings, 0 wrong exceptions: R1 in pod/a/y"):
        told(found)


def test_an_exception_that_has_ended_fails_the_scan() -> None:
    found = concluded(scanned("pod/a/x"), "pod/a/x", until=date(2026, 5, 31))
    assert found.problems == ["exception checkov R1 for pod/a/x ended on 2026-05-31"]
    assert found.verdict == "failed"


def test_an_exception_without_a_finding_fails_the_scan_unless_it_is_partial() -> None:
    assert concluded(scanned("pod/a/x"), "pod/a/x", "pod/a/mended", partial=True).verdict == "passed"
    found = concluded(scanned("pod/a/x"), "pod/a/x", "pod/a/mended")
    assert found.problems == ["exception checkov R1: pod/a/mended has no such finding any more"]


def test_an_exception_without_an_object_fails_the_scan_unless_it_is_partial() -> None:
    assert concluded(scanned(), "pod/b/z").problems == ["exception checkov R1: there is no object pod/b/z"]
    assert concluded(scanned(), "pod/b/z", partial=True).verdict == "passed"


def test_a_type_that_two_stacks_have_is_scanned_once_and_everything_else_in_both() -> None:
    crd, other = ({"kind": k, "metadata": {"name": "x"}} for k in ("CustomResourceDefinition", "Namespace"))
    newer = {**crd, "spec": {}}
    given = [Subject("dev", (crd, other)), Subject("prod", (crd, other)), Subject("next", (newer,))]
    assert [s.documents for s in run.types_once(given)] == [(crd, other), (other,), (newer,)]


def test_the_tables_say_what_was_scanned_what_was_accepted_and_what_was_not_asked() -> None:
    tables = record.sections(concluded(scanned("pod/a/x", "pod/a/y"), "pod/a/x"))
    assert [t.title for t in tables] == ["Scanners", "Accepted findings", "Rules left out"]
    assert tables[0].rows == [["dev as applied", "checkov 3", 9, 2, 1, 1, 1.5]]
    assert tables[1].rows == [["checkov R1", 1, "pod/a/x", WHY, "2026-06-01"]]
    assert tables[2].rows == [["kics", "R2", WHY, "2026-06-01"]]
    assert all(len(t.columns) == len(row) for t in tables for row in t.rows)
