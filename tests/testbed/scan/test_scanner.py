"""What makes a scan worth something: that everything was read, and that what is wrong on purpose is found."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mirror.errors import ChecksFailed, ToolMissing
from testbed.scan import scanner
from testbed.scan.findings import Finding
from testbed.scan.scanner import Reading, planted, scan
from testbed.scan.spread import Spread
from testbed.scan.subjects import Subject

SUBJECT = Subject("dev", ({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": "a"}},))
BAD = "deployment/sealift-planted/planted"


@dataclass
class Noted:
    """A scanner that says what it is told to."""

    skipped: int = 0
    says: list[tuple[str, str]] = field(default_factory=lambda: [("R", BAD), ("R", "configmap/a/x")])
    name: str = "noted"
    finds: tuple[tuple[str, str], ...] = (("R", BAD),)

    def version(self) -> str:
        return "1"

    def read(self, given: Spread, scratch: Path) -> Reading:
        assert not list(scratch.iterdir())
        seen = sorted(given.documents)[self.skipped :]
        return Reading(
            frozenset(seen), [Finding(scanner=self.name, rule=r, title="t", object=thing) for r, thing in self.says]
        )


def test_what_is_planted_is_scanned_and_left_out_of_the_result() -> None:
    found = scan(SUBJECT, Noted())
    assert [f.object for f in found.findings] == ["configmap/a/x"]
    assert found.objects == 1
    assert found.keys == ["configmap/a/x"]


def test_an_object_that_the_scanner_skipped_is_an_error_and_named() -> None:
    with pytest.raises(ChecksFailed, match=r"all but 1 of \d+ objects: configmap/a/x"):
        scan(SUBJECT, Noted(skipped=1))


def test_a_scanner_that_does_not_find_what_is_planted_is_an_error() -> None:
    with pytest.raises(ChecksFailed, match=f"R in {BAD}"):
        scan(SUBJECT, Noted(says=[("R", "configmap/a/x")]))


def test_the_planted_objects_are_none_that_a_stack_could_have() -> None:
    assert {d["kind"] for d in planted()} == {"Deployment", "Pod", "ClusterRole", "CustomResourceDefinition", "Plant"}
    assert all("planted" in str(d["metadata"]) or "plants" in d["metadata"]["name"] for d in planted())


def test_a_program_sees_a_home_of_its_own_and_nothing_of_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BC_API_KEY", "x")
    said = scanner.run(["env"], tmp_path)
    assert f"HOME={tmp_path}" in said
    assert "BC_API_KEY" not in said


def test_a_program_that_fails_or_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ToolMissing, match="exit status 1"):
        scanner.run(["false"], tmp_path)
    assert scanner.run(["false"], tmp_path, good=(0, 1)) == ""
    with pytest.raises(ToolMissing, match="not on PATH"):
        scanner.run(["no-such-scanner"], tmp_path)
