from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from mirror.errors import BadInput
from testbed.scan.exceptions import Accepted, Exceptions, LeftOut, judge, matches, reviewed
from testbed.scan.findings import Finding, Scanned, joined

TODAY = date(2026, 6, 1)
WHY = "upstream cannot do without it"
ROOT = Path(__file__).parents[3]


def finding(thing: str = "deployment/a/x", rule: str = "R1", **fields: str) -> Finding:
    return Finding(**{"scanner": "checkov", "rule": rule, "title": "t", "object": thing, **fields})


def scanned(*findings: Finding, keys: list[str] | None = None, **fields: object) -> Scanned:
    known = keys if keys is not None else sorted({f.object for f in findings})
    about = {"subject": "dev", "scanner": "checkov", "version": "1", "objects": len(known), "seconds": 0.1}
    return Scanned(**{**about, "findings": list(findings), "keys": known, **fields})


def accepted(*objects: str, **fields: object) -> Accepted:
    about = {"rules": {"checkov": ["R1"]}, "objects": list(objects), "reason": WHY, "until": TODAY}
    return Accepted(**{**about, **fields})


def exceptions(*listed: Accepted, **fields: object) -> Exceptions:
    return Exceptions(exceptions=list(listed), **fields)


@pytest.mark.parametrize(
    ("pattern", "key", "fits"),
    [
        ("deployment/a/x", "deployment/a/x", True),
        ("deployment/a/x", "deployment/a/y", False),
        ("deployment/a/*", "deployment/a/y", True),
        ("deployment/*/x", "deployment/b/x", True),
        ("clusterrole/x-*", "clusterrole/x-y", True),
        ("clusterrole/*", "role/x", False),
        ("role/*", "role/a/x", False),
        ("role/a/x", "role/a/x/y", False),
        ("pod/a/x?", "pod/a/x", False),
    ],
)
def test_a_star_stays_inside_its_part_of_the_key(pattern: str, key: str, fits: bool) -> None:
    assert matches(pattern, key) is fits


@pytest.mark.parametrize("pattern", ["*", "*/a/x", "deployment", "deployment/a/x/y", "Deployment/a/x", ""])
def test_a_pattern_names_its_kind_and_no_more_than_a_key_has(pattern: str) -> None:
    with pytest.raises(ValueError, match="pattern"):
        accepted(pattern)


def test_an_exception_says_why_for_which_objects_and_nothing_else() -> None:
    with pytest.raises(ValueError, match="at least 20"):
        accepted("pod/a/x", reason="upstream")
    with pytest.raises(ValueError, match="at least 1 item"):
        accepted()
    with pytest.raises(ValueError, match="Extra inputs"):
        accepted("pod/a/x", severity="low")
    with pytest.raises(ValueError, match="at least 1 item"):
        accepted("pod/a/x", rules={"checkov": []})


def test_a_finding_that_nobody_accepts_is_open() -> None:
    verdict = judge([scanned(finding())], exceptions(), TODAY)
    assert verdict.open == [finding()]


def test_a_finding_that_is_accepted_is_not_open_on_the_last_day() -> None:
    verdict = judge([scanned(finding())], exceptions(accepted("deployment/a/x")), TODAY)
    assert not verdict.open
    assert [f for f, _ in verdict.accepted] == [finding()]
    assert not verdict.idle


@pytest.mark.parametrize("rules", [{"checkov": ["R2"]}, {"kics": ["R1"]}])
def test_an_exception_holds_for_its_rule_of_its_scanner_only(rules: dict[str, list[str]]) -> None:
    verdict = judge([scanned(finding())], exceptions(accepted("deployment/a/x", rules=rules)), TODAY)
    assert verdict.open == [finding()]


def test_a_day_later_the_exception_has_expired() -> None:
    verdict = judge([scanned(finding())], exceptions(accepted("deployment/a/x")), TODAY + timedelta(days=1))
    assert [f for f, _ in verdict.expired] == [finding()]
    assert not verdict.accepted


def test_an_exception_whose_object_has_no_such_finding_any_more_is_idle() -> None:
    listed = exceptions(accepted("deployment/a/x", "deployment/a/y"))
    verdict = judge([scanned(finding(), keys=["deployment/a/x", "deployment/a/y"])], listed, TODAY)
    assert [u.pattern for u in verdict.idle] == ["deployment/a/y"]


def test_an_exception_whose_object_was_not_scanned_is_absent() -> None:
    verdict = judge([scanned(keys=["deployment/a/x"])], exceptions(accepted("deployment/b/*")), TODAY)
    assert [u.pattern for u in verdict.absent] == ["deployment/b/*"]
    assert not verdict.idle


def test_each_rule_of_an_exception_must_have_a_finding() -> None:
    verdict = judge(
        [scanned(finding())], exceptions(accepted("deployment/a/x", rules={"checkov": ["R1", "R2"]})), TODAY
    )
    assert [(u.rule, u.pattern) for u in verdict.idle] == [("R2", "deployment/a/x")]


def test_an_exception_that_another_one_covers_is_idle() -> None:
    listed = exceptions(accepted("deployment/a/*"), accepted("deployment/a/x"))
    verdict = judge([scanned(finding())], listed, TODAY)
    assert [u.pattern for u in verdict.idle] == ["deployment/a/x"]


def test_a_finding_in_one_of_several_scans_uses_the_exception() -> None:
    scans = [scanned(keys=["deployment/a/x"]), scanned(finding(), subject="prod")]
    assert not judge(scans, exceptions(accepted("deployment/a/x")), TODAY).idle


def test_no_exception_holds_for_more_than_a_year() -> None:
    longest = accepted("pod/a/x", until=TODAY + timedelta(days=366))
    assert reviewed(exceptions(longest), TODAY)
    with pytest.raises(BadInput, match="more than a year"):
        reviewed(exceptions(longest.model_copy(update={"until": TODAY + timedelta(days=367)})), TODAY)


@pytest.mark.parametrize(("days", "why"), [(-1, "to be left out until"), (400, "more than a year")])
def test_a_rule_is_left_out_until_its_day_and_at_most_a_year(days: int, why: str) -> None:
    rule = LeftOut(scanner="kics", rule="R", reason=WHY, until=TODAY + timedelta(days=days))
    with pytest.raises(BadInput, match=why):
        reviewed(exceptions(left_out=[rule]), TODAY)


def test_findings_of_one_rule_in_one_object_are_one_with_both_messages() -> None:
    several = [finding(message="b"), finding(message="a"), finding(message="b"), finding("pod/a/y")]
    assert [(f.object, f.message) for f in joined(several)] == [("deployment/a/x", "a; b"), ("pod/a/y", "")]


def test_the_projects_exceptions_are_read_and_none_is_older_than_its_day() -> None:
    ours = Exceptions.read(ROOT / "policies" / "exceptions.yaml")
    assert reviewed(ours, date.today())
    assert [e.rules for e in ours.exceptions if e.until < date.today()] == []
