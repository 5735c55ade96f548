from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import structs
from typer.testing import CliRunner

from mirror.errors import BadInput, ChecksFailed
from mirror.receipt import Receipt
from smoke_tests import changes, streaming
from smoke_tests.cli import app
from smoke_tests.evidence import Evidence

if TYPE_CHECKING:
    from tests.smoke_tests.conftest import Behaviour, FakeKubectl


pytestmark = pytest.mark.slow  # whole runs of the checks


@pytest.fixture
def arguments(
    tmp_path: Path,
    outputs: dict[str, Any],
    receipt: Receipt,
    server: int,
    kubectl: FakeKubectl,
    behaviour: Behaviour,
    monkeypatch: pytest.MonkeyPatch,
) -> list[str]:
    monkeypatch.setattr(streaming, "A_MINUTE", 0.2)
    monkeypatch.setattr(streaming, "MARGIN", 0.1)
    monkeypatch.setattr(changes, "LEAST", 0)  # The policies of a fake cluster change nothing.
    behaviour.max_model_len = 2000
    (tmp_path / "outputs.json").write_text(json.dumps(outputs))
    receipt.write(tmp_path / "receipt.json")
    ports = {"spec": {"ports": [{"name": "https", "port": 443}]}}
    kubectl.answers({"get service istio-ingressgateway -n istio-system": ports})
    files = ["--stack-outputs", str(tmp_path / "outputs.json"), "--receipt", str(tmp_path / "receipt.json")]
    return [*files, "--address", f"127.0.0.1:{server}", "--only", "api", "--output", str(tmp_path / "evidence")]


def test_a_good_environment_leaves_evidence_and_a_page(arguments: list[str], tmp_path: Path) -> None:
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert Evidence.read(tmp_path / "evidence" / "evidence.json").verdict == "passed"
    assert "Passed: every check" in (tmp_path / "evidence" / "evidence.html").read_text()
    assert "passed          " in done.stdout
    assert "Passed: 9 passed, 0 failed" in done.stdout


def test_a_bad_environment_leaves_evidence_too_and_ends_as_failed(
    arguments: list[str], tmp_path: Path, behaviour: Behaviour
) -> None:
    behaviour.served = "other"
    done = CliRunner().invoke(app, arguments)
    assert isinstance(done.exception, ChecksFailed)
    assert done.exception.exit_code == 12
    assert Evidence.read(tmp_path / "evidence" / "evidence.json").verdict == "failed"
    assert "the list names ['other']" in done.stdout


def test_as_json_the_evidence_alone_is_printed(arguments: list[str]) -> None:
    done = CliRunner().invoke(app, [*arguments, "--json"])
    assert Evidence.parse(done.stdout, "stdout.json").verdict == "passed"
    assert "passed" in done.stderr


def test_tables_of_the_operator_are_added(arguments: list[str], tmp_path: Path) -> None:
    table = {"title": "Stand-ins", "columns": ["What"], "rows": [["CUDA"]]}
    (tmp_path / "sections.json").write_text(json.dumps({"sections": [table]}))
    done = CliRunner().invoke(app, [*arguments, "--sections", str(tmp_path / "sections.json")])
    assert done.exit_code == 0, done.output
    assert "Stand-ins" in (tmp_path / "evidence" / "evidence.html").read_text()


def test_a_receipt_of_another_bundle_is_refused(arguments: list[str], tmp_path: Path, receipt: Receipt) -> None:
    structs.replace(receipt, bundle="c" * 64).write(tmp_path / "receipt.json")
    done = CliRunner().invoke(app, arguments)
    assert isinstance(done.exception, BadInput)
    assert "the stack was made from bundle" in done.exception.why


def test_outputs_that_lack_something_are_refused_by_its_name(
    arguments: list[str], tmp_path: Path, outputs: dict[str, Any]
) -> None:
    del outputs["caCertificate"]
    (tmp_path / "outputs.json").write_text(json.dumps(outputs))
    done = CliRunner().invoke(app, arguments)
    assert isinstance(done.exception, BadInput)
    assert "caCertificate" in done.exception.why
