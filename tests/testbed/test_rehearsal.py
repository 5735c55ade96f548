import io
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from mirror.errors import BadInput
from testbed.node.egress import Attempt, EgressReport, Question
from testbed.rehearsal import stack
from testbed.rehearsal.command import CommandFailed, Counted, follow, whole
from testbed.rehearsal.timeline import Timeline
from testbed.rehearsal.watch import account, attempts


def started(code: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


@pytest.fixture
def timeline() -> Timeline:
    return Timeline(Console(file=io.StringIO(), width=300))


def test_a_command_is_kept_in_its_log_and_returned(timeline: Timeline, tmp_path: Path) -> None:
    with timeline.step("x"):
        assert follow(started("print('one'); print('two')"), timeline, tmp_path / "l" / "x.log") == "one\ntwo\n"
    assert (tmp_path / "l" / "x.log").read_text().endswith("one\ntwo\n")
    assert int(timeline.steps[0].facts["peak RSS MB"]) > 1


def test_a_command_that_fails_is_an_error_with_its_last_lines(timeline: Timeline, tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match=r"(?s)exit status 3.*the reason"):
        follow(started("print('the reason'); raise SystemExit(3)"), timeline, tmp_path / "x.log")


def test_of_an_engines_lines_only_every_so_many_resources_are_reported() -> None:
    show = Counted(every=2)
    line = " +  kubernetes:core/v1:Secret secret/a/b created (0.1s)"
    assert [show(line), show(" @ updating..."), show(line)] == [None, None, "2 created, the last secret/a/b"]
    assert show("error: it broke") == "error: it broke"


def test_empty_lines_are_not_reported() -> None:
    assert not whole("  \n")
    assert whole("  x \n") == "  x"


def test_a_rehearsed_stack_keeps_its_models_and_gets_the_sites_receipt(tmp_path: Path) -> None:
    project = stack.project(tmp_path / "project")
    stack.write("dev", project, {"sealift:receipt": "r.json"})
    config = yaml.safe_load((project / "stacks" / "Pulumi.dev.yaml").read_text())["config"]
    assert config["sealift:receipt"] == "r.json"
    assert [m["name"] for m in config["sealift:models"]] == ["chat", "embed", "batch"]
    assert config["sealift:values"]["istiod"]["telemetry"] == {"enabled": False}
    assert (project / "stacks" / "__main__.py").resolve().is_file()


def test_a_stack_without_a_file_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"Pulumi\.nowhere\.yaml") as e:
        stack.write("nowhere", tmp_path, {})
    assert "dev, prod, staging" in e.value.instead


def test_the_sites_account_names_pods_as_the_checks_do() -> None:
    attempt = Attempt(origin="pod a/b", source="10.244.0.3", destination="1.1.1.1", protocol="tcp", port=443, packets=2)
    unknown = attempt.model_copy(update={"origin": "unknown"})
    question = Question(origin="pod a/b", source="10.244.0.3", name="huggingface.co", type="A", times=1)
    written = account(EgressReport(attempts=[attempt, unknown], questions=[question]))
    assert [p["source"] for p in written["packets"]] == ["a/b", "10.244.0.3"]
    assert written["dns"] == [{"source": "a/b", "name": "huggingface.co."}]


def test_attempts_to_leave_are_counted_and_the_checks_own_told_apart() -> None:
    platform = Attempt(origin="pod models/x", source="a", destination="1.1.1.1", protocol="tcp", port=443, packets=2)
    probe = platform.model_copy(update={"origin": "pod sealift-smoke/plain", "packets": 3})
    machine = platform.model_copy(update={"origin": "site", "packets": 4})
    counted = attempts(EgressReport(attempts=[platform, probe, machine], questions=[]))
    assert counted == {"packets that tried to leave": 9, "of these by the checks": 7}
