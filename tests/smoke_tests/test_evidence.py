from __future__ import annotations

from pathlib import Path

import pytest

from smoke_tests import page
from smoke_tests.egress import EgressLog, Packets
from smoke_tests.evidence import CheckResult, Evidence, Group, Result, Section, Subject, conclude
from smoke_tests.inventory import RunningImage

ENVIRONMENT = Subject(
    stack="prod",
    cluster="the-uid",
    kubernetes="v1.34.4",
    domain="example.test",
    gateway="10.0.0.1:443",
    registry="registry.test:5000",
    bundle="b" * 64,
    receipt_sha256="r" * 64,
)


def check(result: Result, group: Group = Group.API, **more: object) -> CheckResult:
    fields = {"group": group, "sentence": "It holds.", "result": result, "seconds": 1.5, **more}
    return CheckResult.model_validate(fields)


def evidence(*checks: CheckResult, egress: EgressLog | None = None) -> Evidence:
    image = RunningImage(
        namespace="models", pod="chat-1", name="server", kind="container", image="i@sha256:1", digest="sha256:1"
    )
    return conclude(ENVIRONMENT, list(checks), [image], egress=egress, seconds=75)


@pytest.mark.parametrize(
    ("results", "verdict"),
    [
        ([Result.PASSED, Result.NOT_ASKED], "passed"),
        ([Result.PASSED, Result.FAILED], "failed"),
        ([Result.NOT_ASKED], "failed"),
        ([], "failed"),
    ],
    ids=["one passed", "one failed", "nothing was asked", "no check"],
)
def test_only_checks_that_were_made_and_hold_give_a_pass(results: list[Result], verdict: str) -> None:
    assert evidence(*map(check, results)).verdict == verdict


def test_results_are_counted_each_for_itself() -> None:
    totals = evidence(*map(check, [Result.PASSED, Result.PASSED, Result.FAILED, Result.NOT_ASKED])).totals
    assert (totals.passed, totals.failed, totals.not_asked) == (2, 1, 1)


def test_evidence_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    facts = {"SPIFFE ID": "spiffe://a", "milliseconds": 12, "ready": True, "names": ["a", "b"]}
    written = evidence(check(Result.PASSED, facts=facts)).with_sections(
        Section(title="Steps", columns=["a"], rows=[[1]])
    )
    written.write(tmp_path / "evidence.json")
    assert Evidence.read(tmp_path / "evidence.json") == written


def test_the_page_says_the_verdict_the_reason_and_the_facts() -> None:
    failed = check(Result.FAILED, reason="it answered HTTP 500", facts={"cold start in seconds": 42.5})
    text = page.html(evidence(check(Result.PASSED), failed))
    for expected in ("Failed: 1 of 2 checks does not hold", "it answered HTTP 500", "cold start in seconds", "42.5"):
        assert expected in text
    assert "Passed: every check that was made holds" in page.html(evidence(check(Result.PASSED)))


def test_what_servers_said_cannot_become_markup() -> None:
    text = page.html(evidence(check(Result.FAILED, reason="<script>alert(1)</script>")))
    assert "<script>" not in text
    assert "&lt;script&gt;" in text


def test_the_page_loads_nothing() -> None:
    text = page.html(evidence(check(Result.PASSED)))
    for loading in ("<script", "<link", "<img", "src=", "url(", "@import", "http://", "https://"):
        assert loading not in text


def test_no_account_of_egress_is_told_from_an_empty_one() -> None:
    assert "gave no account" in page.html(evidence(check(Result.PASSED)))
    assert "counted none" in page.html(evidence(check(Result.PASSED), egress=EgressLog()))
    packets = Packets(source="models/chat-1", destination="1.1.1.1", protocol="tcp", port=443, packets=7)
    assert "1.1.1.1 tcp/443" in page.html(evidence(check(Result.PASSED), egress=EgressLog(packets=[packets])))


def test_added_sections_stand_on_the_page() -> None:
    section = Section(title="Stand-ins", note="Only here.", columns=["What", "Seconds"], rows=[["CUDA", 3]])
    text = page.html(evidence(check(Result.PASSED)).with_sections(section))
    for expected in ("Stand-ins", "Only here.", "CUDA", "Seconds"):
        assert expected in text


@pytest.mark.parametrize(("seconds", "said"), [(0.0421, "42 ms"), (7.25, "7.2 s"), (185.4, "3 min 05 s")])
def test_durations_read_as_people_say_them(seconds: float, said: str) -> None:
    assert page.duration(seconds) == said
