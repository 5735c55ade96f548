from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from testbed.pulumi.launch import STAND_INS, prepare

PYTHON = Path(sys.executable)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory of programs, and a PATH on which no plugin can be."""
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    (tmp_path / "bin").mkdir()
    return tmp_path / "bin"


def executable(path: Path) -> None:
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)


def test_stand_ins_are_first_on_the_path_when_nothing_real_is_there(programs: Path, tmp_path: Path) -> None:
    launch = prepare(programs, PYTHON, tmp_path / "state", passphrase="p")
    assert launch.stand_ins == tuple(STAND_INS)
    first, second, *_ = launch.environment["PATH"].split(os.pathsep)
    assert sorted(path.name for path in Path(first).iterdir()) == sorted(STAND_INS)
    assert second == str(programs)


def test_a_stand_in_steps_aside_for_a_plugin_on_the_path(programs: Path, tmp_path: Path) -> None:
    prepare(programs, PYTHON, tmp_path / "state", passphrase="p")
    executable(programs / "pulumi-language-python")
    launch = prepare(programs, PYTHON, tmp_path / "state", passphrase="p")
    assert launch.stand_ins == ("pulumi-resource-kubernetes",)
    assert not (tmp_path / "state" / "plugins" / "pulumi-language-python").exists()


def test_a_stand_in_steps_aside_for_an_installed_plugin(programs: Path, tmp_path: Path) -> None:
    (tmp_path / "state" / "home" / "plugins" / "resource-kubernetes-v4.34.2").mkdir(parents=True)
    assert prepare(programs, PYTHON, tmp_path / "state", passphrase="p").stand_ins == ("pulumi-language-python",)


def test_the_environment_keeps_everything_inside_the_state_directory(programs: Path, tmp_path: Path) -> None:
    environment = prepare(programs, PYTHON, tmp_path / "state", passphrase="p").environment
    assert environment["PULUMI_HOME"] == str(tmp_path / "state" / "home")
    assert environment["PULUMI_BACKEND_URL"] == f"file://{tmp_path}/state/state"
    assert environment["PULUMI_CONFIG_PASSPHRASE"] == "p"
    assert environment["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] == "true"
    assert "PULUMI_SKIP_CHECKPOINTS" not in environment


def test_skipping_checkpoints_must_be_asked_for(programs: Path, tmp_path: Path) -> None:
    launch = prepare(programs, PYTHON, tmp_path / "state", passphrase="p", checkpoint_each_step=False)
    assert launch.environment["PULUMI_SKIP_CHECKPOINTS"] == "true"


def test_the_clis_own_log_is_kept_when_asked_for(programs: Path, tmp_path: Path) -> None:
    prepare(programs, PYTHON, tmp_path / "quiet", passphrase="p")
    prepare(programs, PYTHON, tmp_path / "logged", passphrase="p", automatic_log=True)
    assert (tmp_path / "quiet" / "home" / "logs").is_file()
    assert not (tmp_path / "logged" / "home" / "logs").exists()


@pytest.mark.parametrize("name", sorted(STAND_INS))
def test_a_stand_in_starts_from_any_directory_prints_its_port_and_ends_at_once(
    name: str, programs: Path, tmp_path: Path
) -> None:
    state = tmp_path / "a state with spaces"
    launch = prepare(programs, PYTHON, state, passphrase="p")
    decoy = tmp_path / "grpc"
    decoy.mkdir()
    (decoy / "__init__.py").write_text("raise RuntimeError('imported from the working directory')")
    command = [str(state / "plugins" / name), "127.0.0.1:1"]
    environment = {**os.environ, **launch.environment}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert int(process.stdout.readline()) > 0
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 0
