"""The distribution's own section, as the rehearsal's upstream serves it: on a machine without a network, from nothing.

Real wheels, real pip, the real helm, kubectl and Pulumi; a network namespace in which no interface is up.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mirror.atomic import write_atomically
from testbed.toolchain import wheel
from testbed.toolchain.cache import cache_directory
from testbed.upstream import upstream, web
from testbed.upstream.upstream import Upstream

ROOT = Path(__file__).resolve().parents[4]
SEALIFT = Path(sys.executable).with_name("sealift")
SIZES = pytest.mark.parametrize("form", ["files", "parts"])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory with the lock, a bundle in files and one in parts: what the catalog says of machines alone."""
    cache, directory = cache_directory(), tmp_path_factory.mktemp("outside")
    for program in ("helm", "kubectl", "pulumi"):
        assert (cache / "bin" / program).exists(), "run sealift tools first"
    files = Upstream(cache / "upstream", cache / "bin").prepare_bootstrap()
    for name in ("bootstrap.yaml", "licences.yaml", "requirements.txt"):
        (directory / "catalog").mkdir(exist_ok=True)
        shutil.copyfile(ROOT / "catalog" / name, directory / "catalog" / name)
    platform = {"version": 1, "kubernetes": "1.34", "platforms": ["linux/amd64"]}
    write_atomically(directory / "catalog" / "platform.yaml", json.dumps(platform))
    own = wheel.build(directory)
    with web.running(files, directory / "no-models") as port:
        upstream.source_map(web_port=port).write(directory / "source-map.yaml")
        given = ["--source-map", "source-map.yaml", "--wheel", own.name]
        for command in (
            ["lock", "--catalog", "catalog"],
            ["bundle", "create", "--output", "files"],
            ["bundle", "create", "--output", "parts", "--part-size", "20M"],
        ):
            subprocess.run([SEALIFT, *command, *given], cwd=directory, check=True)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def bare(tmp_path: Path) -> list[str]:
    """What runs a command on a bare machine: no network, no settings, an empty home, the system's programs alone."""
    if os.geteuid():
        pytest.skip("a network namespace of its own takes root")
    (tmp_path / "home").mkdir()
    clean = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", f"HOME={tmp_path / 'home'}"]
    return ["unshare", "--net", *clean]


@SIZES
def test_a_bare_machine_is_set_up_without_a_network(made: Path, bare: list[str], form: str, tmp_path: Path) -> None:
    prefix, bundle = tmp_path / "machine", made / form
    assert "UP" not in subprocess.run([*bare, "ip", "-o", "link"], check=True, capture_output=True, text=True).stdout
    subprocess.run([*bare, "sh", bundle / "bootstrap", "--prefix", prefix], check=True)

    def said(command: str) -> str:
        script = f". {prefix}/environment; {command}"
        return subprocess.run([*bare, "sh", "-ec", script], check=True, capture_output=True, text=True).stdout

    for program in ("sealift", "helm", "kubectl", "pulumi"):
        assert said(f"command -v {program}") == f"{prefix}/bin/{program}\n"
    assert said("sealift --version") == "0.1.0\n"
    assert f"{bundle}: whole, 1 entries" in said(f"sealift bundle verify {bundle}")
    assert said("helm version --short").startswith("v3.19")
    assert "v1.34.4" in said("kubectl version --client")
    assert said("pulumi version") == "3.259.0\n"
    (plugin,) = json.loads(said("pulumi plugin ls --json"))
    assert (plugin["name"], plugin["kind"], plugin["version"]) == ("kubernetes", "resource", "4.34.2")
    assert said("python -m pip check") == "No broken requirements found.\n"
    assert said("sealift smoke --help") and said("sealift rehearse --help")
    assert list((tmp_path / "home").iterdir()) == []
    assert not [p for p in tmp_path.iterdir() if "partial" in p.name]
    left = subprocess.run(["grep", "-rIl", ".machine.partial", prefix / "venv" / "bin", prefix / "venv" / "pyvenv.cfg"])
    assert left.returncode == 1


def test_a_program_of_pulumi_runs_on_the_machine_with_the_plugins_that_came(
    made: Path, bare: list[str], tmp_path: Path
) -> None:
    prefix, project = tmp_path / "machine", tmp_path / "project"
    subprocess.run([*bare, "sh", made / "files" / "bootstrap", "--prefix", prefix], check=True)
    shutil.copytree(prefix / "venv" / "share" / "sealift", project)
    (project / "stacks" / "__main__.py").write_text("import pulumi, components.platform\npulumi.export('ran', True)\n")
    script = f"""
        . {prefix}/environment
        cd {project}
        export PULUMI_BACKEND_URL=file://{tmp_path} PULUMI_CONFIG_PASSPHRASE=x
        ip link set lo up
        pulumi stack init trial
        pulumi up --yes --skip-preview --non-interactive
        pulumi stack output --json
    """
    done = subprocess.run([*bare, "sh", "-ec", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout[done.stdout.rindex("{") :]) == {"ran": True}


def test_equal_sources_make_an_equal_wheel(made: Path, tmp_path: Path) -> None:
    again = wheel.build(tmp_path)
    assert again.read_bytes() == (made / again.name).read_bytes()


@SIZES
def test_one_flipped_bit_of_a_wheel_stops_it_and_nothing_is_left(
    made: Path, bare: list[str], form: str, tmp_path: Path
) -> None:
    bundle, marked = tmp_path / "bundle", b"sealift-0.1.0.dist-info/METADATA"
    shutil.copytree(made / form, bundle)
    for file in (p for p in bundle.rglob("*") if p.is_file()):
        content = bytearray(file.read_bytes())
        if marked in content:
            content[content.index(marked)] ^= 1
            file.write_bytes(content)
    done = subprocess.run(
        [*bare, "sh", bundle / "bootstrap", "--prefix", tmp_path / "machine"], capture_output=True, text=True
    )
    assert done.returncode == 6
    assert "sealift-0.1.0-py3-none-any.whl: its sha256 is" in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bundle", "home"]
