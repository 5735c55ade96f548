"""From a catalog to a machine: locked, carried, and set up by the bundle's own script."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mirror.bundle_bytes import NotWhole
from mirror.bundle_repair import repair
from mirror.bundle_verify import verify
from mirror.errors import Damaged
from mirror.load import plan
from mirror.progress import Silent
from mirror.repair_request import RepairRequest
from tests.mirror.bootstrap.conftest import PYTHON, sha256, wheel

if TYPE_CHECKING:
    from tests.mirror.bootstrap.conftest import Machine

SIZES = pytest.mark.parametrize("part_size", [None, 1 << 20], ids=["in files", "in parts"])


def out_of(prefix: Path, command: str) -> str:
    script = f". {prefix}/environment; {command}"
    environment = {"PATH": "/usr/bin:/bin"}
    return subprocess.run(["sh", "-ec", script], env=environment, check=True, capture_output=True, text=True).stdout


def left(directory: Path, prefix: str) -> list[str]:
    return [p.name for p in directory.iterdir() if prefix in p.name]


@SIZES
def test_a_machine_is_set_up_from_its_bundle(machine: Machine, part_size: int | None, tmp_path: Path) -> None:
    machine.hub.files["plain"] += b"#" * 3_000_000  # So that it lies in several parts.
    bundle = machine.bundle(part_size=part_size)
    done = machine.bootstrap(bundle.layout.path, tmp_path / "a machine")
    assert done.returncode == 0, done.stderr
    assert f"sealift bundle verify {bundle.layout.path}" in done.stdout
    prefix = tmp_path / "a machine"
    assert (
        subprocess.run([prefix / "bin" / "sealift"], capture_output=True, text=True).stdout == "sealift with needed\n"
    )
    assert subprocess.run([prefix / "bin" / "plain"], capture_output=True, text=True).stdout == "plain\n"
    plugin = prefix / "pulumi" / "plugins" / "resource-demo-v1.2.3" / "pulumi-resource-demo"
    assert subprocess.run([plugin], capture_output=True, text=True).stdout == "plugin\n"
    assert sorted(p.name for p in prefix.iterdir()) == ["bin", "environment", "pulumi", "venv"]
    assert left(tmp_path, "partial") == []
    assert not (tmp_path / "home").exists()


def test_the_file_of_variables_puts_everything_on_the_path(machine: Machine, tmp_path: Path) -> None:
    machine.bootstrap(machine.bundle().layout.path, tmp_path / "m")
    said = out_of(tmp_path / "m", "demo; sealift; echo $PULUMI_HOME; command -v python")
    assert said.splitlines() == ["demo", "sealift with needed", f"{tmp_path}/m/pulumi", f"{tmp_path}/m/venv/bin/python"]


def test_files_and_parts_have_the_same_script_and_making_it_again_gives_the_same_bytes(machine: Machine) -> None:
    scripts = [
        (machine.bundle(name, part_size=size).layout.path / "bootstrap").read_bytes()
        for name, size in (("a", None), ("b", None), ("c", 1 << 20))
    ]
    assert scripts[0] == scripts[1] == scripts[2]


@SIZES
def test_what_was_damaged_on_the_way_is_refused_and_nothing_is_left(
    machine: Machine, part_size: int | None, tmp_path: Path
) -> None:
    bundle = machine.bundle(part_size=part_size).layout.path
    marked = next(iter(machine.wheels.values()))
    for file in [p for p in bundle.rglob("*") if p.is_file() and marked[:2000] in p.read_bytes()]:
        content = bytearray(file.read_bytes())
        content[content.index(marked) + 1000] ^= 1
        file.write_bytes(content)
    done = machine.bootstrap(bundle, tmp_path / "m")
    assert done.returncode == 6
    assert "pip-1.0-py3-none-any.whl: its sha256 is" in done.stderr
    assert not (tmp_path / "m").exists() and left(tmp_path, "partial") == []


def test_every_file_that_is_missing_is_named_at_once(machine: Machine, tmp_path: Path) -> None:
    bundle = machine.bundle()
    for content in (machine.hub.files["plain"], machine.own.read_bytes()):
        bundle.layout.blob(f"sha256:{sha256(content)}").unlink()
    done = machine.bootstrap(bundle.layout.path, tmp_path / "m")
    assert done.returncode == 6
    assert "plain 1.2.3: missing" in done.stderr and "sealift-1.0-py3-none-any.whl: missing" in done.stderr


def test_a_part_that_did_not_arrive_is_missing(machine: Machine, tmp_path: Path) -> None:
    machine.hub.files["plain"] += b"#" * 3_000_000
    bundle = machine.bundle(part_size=1 << 20).layout.path
    (bundle / "parts" / "0002").unlink()
    done = machine.bootstrap(bundle, tmp_path / "m")
    assert (done.returncode, "plain 1.2.3: missing" in done.stderr) == (6, True)


def test_a_prefix_that_is_there_is_left_alone(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "mine").write_text("x")
    done = machine.bootstrap(machine.bundle().layout.path, tmp_path / "m")
    assert (done.returncode, "it is there already" in done.stderr) == (2, True)
    assert left(tmp_path / "m", "") == ["mine"]


def test_an_installation_that_fails_is_one_error_and_leaves_nothing(machine: Machine, tmp_path: Path) -> None:
    machine.wheels["pip-1.0-py3-none-any.whl"] = wheel("pip", {"pip/__main__.py": "raise SystemExit('no room')"})
    machine.publish()
    done = machine.bootstrap(machine.bundle().layout.path, tmp_path / "m")
    assert (done.returncode, "no room" in done.stderr) == (11, True)
    assert "Traceback" not in done.stderr
    assert left(tmp_path, "partial") == [] and not (tmp_path / "m").exists()


def test_what_a_killed_run_left_is_in_nobodys_way(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / ".m.partial" / "venv").mkdir(parents=True)
    assert machine.bootstrap(machine.bundle().layout.path, tmp_path / "m").returncode == 0
    assert left(tmp_path, "partial") == []


def test_settings_of_the_machine_have_no_say(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "evil").mkdir()
    (tmp_path / "evil" / "venv.py").write_text("raise SystemExit('mine')")
    evil = {"PYTHONPATH": str(tmp_path / "evil"), "PIP_INDEX_URL": "http://evil.test", "PYTHONHOME": "/nowhere"}
    assert machine.bootstrap(machine.bundle().layout.path, tmp_path / "m", **evil).returncode == 0


def test_another_kind_of_machine_and_another_python_are_refused(machine: Machine, tmp_path: Path) -> None:
    bundle = machine.bundle().layout.path
    script = (bundle / "bootstrap").read_text()
    (bundle / "bootstrap").write_text(script.replace(f'"{os.uname().machine}"', '"vax"'))
    done = machine.bootstrap(bundle, tmp_path / "m")
    assert (done.returncode, "the bundle is for vax" in done.stderr) == (2, True)
    (bundle / "bootstrap").write_text(script.replace(f"wanted='{PYTHON}'", "wanted='3.99'"))
    done = machine.bootstrap(bundle, tmp_path / "m")
    assert (done.returncode, "none of 3.99 is on PATH" in done.stderr) == (11, True)
    assert not (tmp_path / "m").exists()


def test_a_changed_or_added_script_is_not_the_bundles(machine: Machine, made_once: Path, tmp_path: Path) -> None:
    bundle = machine.bundle().layout.path
    verify(bundle, Silent())
    with (bundle / "bootstrap").open("a") as f:
        f.write("# one more line\n")
    with pytest.raises(NotWhole, match="bootstrap: it is not as sealift wrote it"):
        verify(bundle, Silent())
    other = Path(shutil.copytree(made_once, tmp_path / "other"))
    (other / "bootstrap").write_text("#!/bin/sh\n")
    with pytest.raises(Damaged, match="nothing in the lock leads to this file"):
        verify(other, Silent())


@SIZES
def test_files_of_a_machine_that_did_not_arrive_are_made_again(
    machine: Machine, part_size: int | None, tmp_path: Path
) -> None:
    made = machine.bundle("made", part_size=part_size)
    arrived = Path(shutil.copytree(made.layout.path, tmp_path / "arrived"))
    lost = "parts/0001" if part_size else f"blobs/sha256/{sha256(machine.own.read_bytes())}"
    (arrived / lost).unlink()
    if not part_size:
        (arrived / "bootstrap").unlink()
    wanted = [lost] if part_size else [lost, "bootstrap"]
    for _ in wanted:
        try:
            verify(arrived, Silent())
        except NotWhole as e:
            order = machine.order("again")
            repair(RepairRequest.of(e), order, Silent())
            shutil.copytree(order.output, arrived, dirs_exist_ok=True)
    verify(arrived, Silent())
    assert all((arrived / w).read_bytes() == (made.layout.path / w).read_bytes() for w in wanted)


def test_what_is_for_operators_is_not_sent_to_the_registry(machine: Machine) -> None:
    bundle = machine.bundle()
    assert [e.kind for e in bundle.contents.entries] == ["bootstrap"]
    assert plan(bundle, "registry.test") == []


def test_the_bill_of_materials_names_tools_and_wheels(machine: Machine) -> None:
    bill = json.loads((machine.bundle().layout.path / "sbom.cdx.json").read_text())
    found = {c["purl"].partition("?")[0]: c["hashes"][0]["content"] for c in bill["components"]}
    assert found["pkg:generic/plain@1.2.3"] == sha256(machine.hub.files["plain"])
    assert found["pkg:pypi/sealift@1.0"] == sha256(machine.own.read_bytes())
