import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mirror.errors import NoSpace, ToolMissing
from mirror.parallel import Stop, Stopped
from testbed.toolchain import disk, programs
from testbed.toolchain.programs import Build, Module, Present, Program


def module(tmp_path: Path, **fields: object) -> Module:
    (tmp_path / "go.mod").write_text("module x\n")
    return Module.model_validate({"directory": str(tmp_path), "program": [{"name": "p", "package": "x/p"}], **fields})


EVERY = [*programs.declared(), *programs.declared("benchmarks")]


def test_every_declared_module_is_pinned_by_a_sum_file() -> None:
    for m in EVERY:
        assert (programs.HERE / m.directory / "go.sum").is_file(), m.directory


def test_the_rehearsal_builds_nothing_that_only_benchmarks_need() -> None:
    names = {p.name for m in programs.declared() for p in m.program}
    assert "helm" in names
    assert not names & {"regctl", "zarf"}


def test_program_names_are_declared_once() -> None:
    names = [p.name for m in EVERY for p in m.program]
    assert len(names) == len(set(names))


def test_a_changed_pin_changes_the_key_that_a_binary_is_kept_under(tmp_path: Path) -> None:
    m = module(tmp_path)
    before = programs.plan([m])[0].key
    (tmp_path / "go.mod").write_text("module x\nrequire y v1\n")
    assert programs.plan([m])[0].key != before


def test_changed_flags_change_the_key(tmp_path: Path) -> None:
    assert programs.plan([module(tmp_path)])[0].key != programs.plan([module(tmp_path, cgo=True)])[0].key


def test_the_build_command_sets_what_upstream_sets(tmp_path: Path) -> None:
    m = module(tmp_path, set={"a.B": "1"}, tags=["seccomp"])
    command = Build(m, m.program[0], tmp_path, "k").command(Path("out"))
    assert "-s -w -X a.B=1" in command
    assert command[command.index("-tags") + 1] == "seccomp"
    assert "-mod=readonly" in command


def test_a_program_of_the_machine_is_used_only_in_the_right_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\necho v1.2.3\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    def wants(version: str) -> Program:
        return Program(name="tool", package="x", version=Present(arguments=["version"], holds=version))

    assert programs._present(wants("v1.2.3"), Path("/nowhere")) == tool
    assert programs._present(wants("v1.2.4"), Path("/nowhere")) is None


def test_a_build_that_fails_says_what_the_compiler_said(tmp_path: Path) -> None:
    m = module(tmp_path)
    with pytest.raises(ToolMissing, match="go build failed"):
        programs._build(Build(m, m.program[0], tmp_path, "k"), tmp_path / "out", Stop())
    assert not (tmp_path / "out").exists()


def test_what_is_missing_is_built_once_and_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modules = []
    for name in ("one", "two", "three"):
        (tmp_path / name).mkdir()
        given = [{"name": f"{name}-a", "package": "x/a"}, {"name": f"{name}-b", "package": "x/b"}]
        modules.append(module(tmp_path / name, program=given))
    built: list[str] = []

    def build(b: Build, target: Path, stop: Stop) -> None:
        built.append(b.program.name)
        target.write_text(b.program.name)

    monkeypatch.setattr(programs, "_build", build)
    told: list[str] = []
    for _ in range(2):
        names = programs.ensure(tmp_path, told.append, modules)
    assert sorted(built) == sorted(p.name for m in modules for p in m.program)
    assert [(names / n).read_text() for n in built] == built
    assert [t for t in told if t.startswith("building one")] == ["building one-a (1 of 6)", "building one-b (2 of 6)"]


def test_a_build_that_fails_ends_those_that_would_come_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    m = module(tmp_path, program=[{"name": "a", "package": "x/a"}, {"name": "b", "package": "x/b"}])
    built: list[str] = []

    def build(b: Build, target: Path, stop: Stop) -> None:
        built.append(b.program.name)
        raise ToolMissing(b.program.name, "no", "Mend it.")

    monkeypatch.setattr(programs, "_build", build)
    with pytest.raises(ToolMissing):
        programs.ensure(tmp_path, lambda _: None, [m])
    assert built == ["a"]


def test_a_build_ends_when_everything_ends() -> None:
    stop = Stop()
    stop.now()
    waiting = [sys.executable, "-c", "import signal; signal.pause()"]
    with subprocess.Popen(waiting, stderr=subprocess.PIPE, text=True) as process:
        with pytest.raises(Stopped):
            programs._until_done(process, stop)
        assert process.wait(5) == -signal.SIGTERM


def test_too_little_disk_is_refused_before_the_work_starts(tmp_path: Path) -> None:
    with pytest.raises(NoSpace, match="needs 1000000000000"):
        disk.require(tmp_path, 10**21, "the rehearsal")
    disk.require(tmp_path, 1, "a byte")
