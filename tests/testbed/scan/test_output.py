"""What each scanner prints, read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mirror.errors import BadInput, ChecksFailed, ToolMissing
from testbed.scan import checkov, kics, kubeconform
from testbed.scan.kics import Kics
from testbed.scan.spread import Spread


@pytest.fixture
def given(tmp_path: Path) -> Spread:
    names = {"00000.yaml": "x", "00001.yaml": "y"}
    documents = {f: {"kind": "Pod", "metadata": {"name": n, "namespace": "a"}} for f, n in names.items()}
    return Spread(tmp_path, documents)


def check(rule: str, file: str, result: str = "FAILED", **fields: object) -> dict[str, Any]:
    about = {"check_id": rule, "check_name": f"about {rule}", "file_path": f"/{file}"}
    return {**about, "check_result": {"result": result, "evaluated_keys": ["spec/containers/[0]/image"]}, **fields}


def of_checkov(**kinds: list[dict[str, Any]]) -> str:
    lists = {f"{k}_checks": kinds.get(k, []) for k in ("passed", "failed", "skipped")}
    return json.dumps({"results": lists})


def test_of_checkov_a_failed_check_is_a_finding_in_the_object_of_its_file(given: Spread) -> None:
    seen = [check("CKV2_SEALIFT_1", f, "PASSED") for f in given.documents]
    reading = checkov.parse(of_checkov(passed=seen, failed=[check("CKV_K8S_1", "00001.yaml")]), given)
    assert [(f.rule, f.object, f.title) for f in reading.findings] == [("CKV_K8S_1", "pod/a/y", "about CKV_K8S_1")]
    assert reading.findings[0].message == "spec/containers[0]/image"
    assert reading.seen == {"00000.yaml", "00001.yaml"}


def test_of_checkov_a_file_that_passed_no_check_of_ours_was_not_read(given: Spread) -> None:
    seen = [check("CKV2_SEALIFT_1", "00000.yaml", "PASSED"), check("CKV_K8S_1", "00001.yaml", "PASSED")]
    assert checkov.parse(of_checkov(passed=seen), given).seen == {"00000.yaml"}


def test_of_checkov_what_an_annotation_skips_is_a_finding_all_the_same(given: Spread) -> None:
    skipped = [check("CKV_K8S_1", "00000.yaml", "SKIPPED")]
    (finding,) = checkov.parse(of_checkov(skipped=skipped), given).findings
    assert finding.message == "skipped by an annotation"


def test_of_kubeconform_an_invalid_object_and_one_without_a_schema_are_findings(given: Spread) -> None:
    message = "jsonschema validation failed with 'x#' - at '/spec': validation failed - at '/spec/a': no 'b' allowed"
    wrong = {"filename": "/o/00000.yaml", "status": "statusInvalid", "msg": message}
    unknown = {"filename": "/o/00001.yaml", "status": "statusError", "msg": "could not find schema for Plant"}
    reading = kubeconform.parse(json.dumps({"resources": [wrong, unknown]}), given)
    assert [(f.object, f.message) for f in reading.findings] == [
        ("pod/a/x", "'/spec/a': no 'b' allowed"),
        ("pod/a/y", "could not find schema for Plant"),
    ]
    assert reading.seen == {"00000.yaml", "00001.yaml"}


def test_of_kubeconform_a_skipped_object_was_not_read(given: Spread) -> None:
    resources = [
        {"filename": "00000.yaml", "status": "statusValid", "msg": ""},
        {"filename": "00001.yaml", "status": "statusSkipped", "msg": ""},
    ]
    reading = kubeconform.parse(json.dumps({"resources": resources}), given)
    assert reading.seen == {"00000.yaml"}
    assert not reading.findings


def of_kics(**fields: object) -> str:
    counts = {
        "files_scanned": 2,
        "files_parsed": 2,
        "files_failed_to_scan": 0,
        "queries_total": 3,
        "queries_failed_to_execute": 0,
        "queries": [],
    }
    return json.dumps({**counts, **fields})


def test_of_kics_each_file_of_a_query_is_a_finding(given: Spread) -> None:
    files = [{"file_name": "../o/00000.yaml", "actual_value": "it is so"}]
    query = {"query_name": "Q", "description": "d", "files": files}
    reading = kics.parse(of_kics(queries=[query]), given, 3)
    assert [(f.rule, f.object, f.message) for f in reading.findings] == [("Q", "pod/a/x", "it is so")]
    assert reading.seen == set(given.documents)


@pytest.mark.parametrize(
    ("count", "value"),
    [
        ("files_scanned", 1),
        ("files_parsed", 1),
        ("files_failed_to_scan", 1),
        ("queries_total", 2),
        ("queries_failed_to_execute", 1),
    ],
)
def test_of_kics_a_count_that_is_not_what_was_given_is_an_error(given: Spread, count: str, value: int) -> None:
    with pytest.raises(ChecksFailed, match=f"{count} is {value} and not"):
        kics.parse(of_kics(**{count: value}), given, 3)


def test_a_rule_that_kics_does_not_have_cannot_be_left_out(tmp_path: Path, given: Spread) -> None:
    (tmp_path / "q").mkdir()
    (tmp_path / "q" / "metadata.json").write_text(json.dumps({"queryName": "Q", "id": "1"}))
    with pytest.raises(BadInput, match="no query of that name"):
        Kics(tmp_path, ["Q", "R"]).read(given, tmp_path)


@pytest.mark.parametrize("output", ["", "[]", "{}", "no json"])
def test_an_output_that_cannot_be_read_is_an_error(given: Spread, output: str) -> None:
    with pytest.raises(ToolMissing, match="cannot be read"):
        checkov.parse(output, given)
    with pytest.raises(ToolMissing, match="cannot be read"):
        kubeconform.parse(output, given)
    with pytest.raises(ToolMissing, match="cannot be read"):
        kics.parse(output, given, 3)
