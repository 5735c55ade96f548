from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from smoke_tests.evidence import EVIDENCE, PAGE, CheckResult, Evidence, Group, Result, Subject, conclude
from testbed.rehearsal import publish
from testbed.rehearsal.comparison import NotPulled, Pulls
from testbed.rehearsal.timeline import Step
from testbed.scan.exceptions import Accepted, Exceptions
from testbed.scan.findings import Finding, Scanned
from testbed.scan.record import RECORD, Record

_SUBJECT = {
    "stack": "dev",
    "cluster": "uid",
    "kubernetes": "v1.34.4",
    "domain": "d.test",
    "gateway": "g:443",
    "registry": "r",
    "bundle": "b",
    "receipt_sha256": "s",
}


def test_the_page_of_evidence_gets_what_the_rehearsal_did_and_what_the_scanners_found(tmp_path: Path) -> None:
    check = CheckResult(group=Group.API, sentence="It answers.", result=Result.PASSED, seconds=1)
    conclude(Subject.model_validate(_SUBJECT), [check], [], seconds=1).write(tmp_path / EVIDENCE)
    found = Finding(scanner="kics", rule="Low UID", title="t", object="pod/a/x")
    scanned = Scanned(
        subject="dev as it runs",
        scanner="kics",
        version="2",
        objects=1,
        seconds=1,
        findings=[found],
        keys=["pod/a/x"],
    )
    why = "the proxy's user is told apart by it"
    accepted = Accepted(rules={"kics": ["Low UID"]}, objects=["pod/a/x"], reason=why, until=datetime.now(UTC).date())
    Record(
        when=datetime.now(UTC),
        verdict="passed",
        scanned=[scanned],
        open=[],
        exceptions=Exceptions(exceptions=[accepted]),
        problems=[],
    ).write(tmp_path / RECORD)
    idle = NotPulled(reference="r/i:1", reason="only when used")
    pulls = Pulls(pulled=1, undiscovered=[], missing=[], not_pulled=[idle])
    steps = [Step(name="pulumi up", seconds=2, result="done")]
    publish.add(tmp_path, steps, {"a CNI": "testbed"}, pulls)
    titles = [s.title for s in Evidence.read(tmp_path / EVIDENCE).sections]
    assert titles[:3] == ["The rehearsal", "Stand-ins", "Discovered and not pulled"]
    assert titles[3:] == ["Scanners", "Accepted findings", "Rules left out"]
    page = (tmp_path / PAGE).read_text()
    assert "dev as it runs" in page
    assert why.replace("'", "&#39;") in page
