"""The commands, as a person types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mirror import cli

if TYPE_CHECKING:
    from conftest import Authority, Registry, World


pytestmark = pytest.mark.slow  # real registries on loopback


def sealift(*arguments: object) -> int:
    return cli.run(cli.app, [str(a) for a in arguments])


@pytest.fixture
def source_map(world: World, tmp_path: Path) -> Path:
    (tmp_path / "map.yaml").write_text("".join(f"{h}: {e}\n" for h, e in world.source_map.hosts.items()))
    return tmp_path / "map.yaml"


def test_a_bundle_is_made_verified_shown_and_loaded_by_commands_alone(
    world: World,
    source_map: Path,
    inside: Registry,
    site_ca: Authority,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bundle, site = tmp_path / "bundle", tmp_path / "site"
    registry = ["--registry", inside.host, "--ca-file", site_ca.ca, "--accept-unsigned-bundle"]
    assert sealift("bundle", "create", "--lock", world.lock_file, "--source-map", source_map, "--output", bundle) == 0
    assert sealift("bundle", "verify", bundle) == 0
    assert sealift("bundle", "show", bundle) == 0
    shown = capsys.readouterr().out
    assert f"gcr.io/org/multi@{world.lock.images[2].digest}" in shown
    assert sealift("load", bundle, *registry, "--output", site, "--dry-run") == 0
    planned = capsys.readouterr().out.splitlines()
    assert len(planned) == 7
    assert all(line.startswith("send") for line in planned)
    assert not site.exists()
    assert sealift("load", bundle, *registry, "--output", site, "--json") == 0
    received = capsys.readouterr()
    assert json.loads(received.out)["missing"] == []
    events = [json.loads(line) for line in received.err.splitlines()]
    assert [e["total"] for e in events if e["event"] == "begin"] == [
        sum(e["size"] for e in events if e["event"] == "item")
    ]
    assert sealift("load", bundle, *registry, "--dry-run", "--json") == 0
    assert all(e["there"] for e in json.loads(capsys.readouterr().out)["entries"])
    receipt = site / "receipt.json"
    arguments = ("--receipt", receipt, "--ca-file", "/etc/ca.pem", "--output", tmp_path / "certs.d")
    assert sealift("nodeconfig", "containerd", *arguments) == 0
    assert (tmp_path / "certs.d/docker.io/hosts.toml").is_file()


def test_a_bundle_is_signed_and_only_then_loaded_by_commands_alone(
    world: World,
    source_map: Path,
    inside: Registry,
    site_ca: Authority,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEALIFT_KEY_PASSPHRASE", "open sesame")
    load = ("load", "bundle", "--registry", inside.host, "--ca-file", site_ca.ca)
    for name in ("root", "release", "later"):
        assert sealift("key", "create", f"{name}.pem") == 0
    assert sealift("key", "root", "--root-key", "root.pem", "--release-key", "release.pem.pub") == 0
    create = ("bundle", "create", "--lock", world.lock_file, "--source-map", source_map)
    assert sealift(*create, "--sign", "release.pem") == 0
    assert sealift(*load) == 2
    assert "sealift trust init" in capsys.readouterr().err
    assert sealift("trust", "init", "roots/1.root.json") == 0
    assert sealift("bundle", "verify", "bundle", "--trust", "trust") == 0
    assert sealift("bundle", "verify", "bundle", "--root", "roots/1.root.json", "--json") == 0
    assert sealift(*load) == 0
    assert sealift("key", "rotate", "--release-key", "later.pem.pub") == 0
    assert "not yet valid" in capsys.readouterr().out
    assert sealift("key", "endorse", "roots/2.root.json", "--key", "root.pem") == 0
    assert sealift("bundle", "sign", "bundle", "--key", "later.pem", "--version", "9") == 0
    assert sealift(*load) == 13
    assert "rolled back" in capsys.readouterr().err
    assert sealift("bundle", "sign", "bundle", "--key", "later.pem") == 0
    assert sealift(*load) == 0
    assert sealift("trust", "show", "--json") == 0


def test_a_bundle_that_nobody_signed_is_not_loaded(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = ("key", "root", "--root-key", "k.pem", "--release-key", "k.pem")
    monkeypatch.chdir(tmp_path)
    assert sealift("key", "create", "k.pem", "--without-passphrase") == 0
    assert sealift(*root) == 0
    assert sealift("load", whole, "--registry", "127.0.0.1:1", "--root", "roots/1.root.json") == 13


def test_a_key_without_a_passphrase_is_made_on_purpose_only(tmp_path: Path) -> None:
    assert sealift("key", "create", tmp_path / "k.pem") == 2
    assert not list(tmp_path.iterdir())


def test_a_dry_run_of_create_says_what_and_how_much_and_does_nothing(
    world: World, source_map: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    create = ("bundle", "create", "--lock", world.lock_file, "--source-map", source_map, "--dry-run")
    create = (*create, "--output", tmp_path / "bundle")
    assert sealift(*create, "--json") == 0
    plan = json.loads(capsys.readouterr().out)
    assert len(plan["entries"]) == 7
    assert sealift(*create) == 0
    said = capsys.readouterr().out
    assert "7 entries; " in said
    assert "are free" in said
    assert not list(tmp_path.glob("bundle*"))
    assert sealift(*(c for c in create if c != "--dry-run"), "--json") == 0
    events = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [e["total"] for e in events if e["event"] == "begin"] == [plan["fetch"]]


def test_an_error_is_three_lines_and_its_own_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sealift("bundle", "verify", tmp_path) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        str(tmp_path / "bundle.json"),
        "  why: No such file or directory",
        "  instead: Give a readable contents file.",
    ]


def test_an_error_is_an_object_for_machines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sealift("bundle", "verify", tmp_path, "--json") == 2
    assert json.loads(capsys.readouterr().out)["error"] == "BadInput"


def test_damage_ends_with_code_6(whole: Path) -> None:
    (whole / "index.json").write_text("{}")
    assert sealift("bundle", "verify", whole, "--json") == 6


def test_wrong_usage_ends_with_code_2_and_help_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert sealift("bundle", "verify") == 2
    assert sealift("bundle", "create", "--help") == 0
    assert sealift("load", "x", "--registry", "y", "--nonsense") == 2
    capsys.readouterr()


def test_every_command_has_an_example_in_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    commands = [["lock"], ["bundle", "create"], ["bundle", "verify"], ["bundle", "show"], ["load"], ["preflight"]]
    commands += [["key", k] for k in ("create", "show", "root", "rotate", "endorse")]
    for command in [*commands, ["bundle", "sign"], ["trust", "init"], ["trust", "show"]]:
        assert sealift(*command, "--help") == 0
        assert f"Example: sealift {' '.join(command)}" in capsys.readouterr().out


def test_a_model_directory_without_a_name_is_bad_input(world: World) -> None:
    arguments = ("--lock", world.lock_file, "--model-directory", "nameless")
    assert sealift("bundle", "create", *arguments) == 2
