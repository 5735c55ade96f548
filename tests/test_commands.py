"""Every command of ``sealift``: its help has an example, and what it writes it can also only tell."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

import sealift
from mirror import cli

READS = {
    "licences", "preflight", "bundle show", "bundle diff", "key show", "trust show",
    "access issuer show", "access key show", "access key list",
}  # fmt: skip
"""These write nothing."""
WITHOUT_DRY_RUN = {
    "bundle verify": "writes only the request that it is told to write, of what it found",
    "access issuer create": "makes files where there are none, and refuses where there are some",
    "access issuer rotate": "ends nothing: the old key's tokens stay good until it is retired, which has --dry-run",
    "access key issue": "makes one key, which can be revoked by its id",
    "smoke": "is a check: the pods that it asks from are gone when it ends",
    "rehearse": "is itself the trial run of a bundle and a stack",
    "tools": "fills a cache with programs, and has no effect on anything else",
    "scan": "is a check: it writes its record and nothing else",
}
"""These write and have no --dry-run, with the reason."""
WITHOUT_JSON = {
    "rehearse": "its result is evidence.json",
    "tools": "has no result beside the programs",
    "scan": "its result is scan.json",
}
"""These have no --json, with the reason."""


def walk(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - typer's own
    if hasattr(command, "commands"):
        for name, below in command.commands.items():
            yield from walk(below, (*path, name))
    else:
        yield " ".join(path), command


COMMANDS = dict(walk(typer.main.get_command(sealift.assemble([]))))


def options(command: Any) -> set[str]:  # noqa: ANN401 - typer's own
    return {o for p in command.params for o in p.opts}


def test_the_lists_name_commands_that_there_are_each_once() -> None:
    listed = [*READS, *WITHOUT_DRY_RUN]
    assert len(listed) == len(set(listed))
    assert {*listed, *WITHOUT_JSON} <= COMMANDS.keys()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_an_example_in_its_help(name: str) -> None:
    assert f"sealift {name}" in COMMANDS[name].help.partition("Example: ")[2]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_writes_can_also_only_tell(name: str) -> None:
    assert ("--dry-run" in options(COMMANDS[name])) == (name not in READS | WITHOUT_DRY_RUN.keys())


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_speaks_json(name: str) -> None:
    assert ("--json" in options(COMMANDS[name])) == (name not in WITHOUT_JSON)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with keys, a root, a bundle as far as signing looks at it, and a receipt."""
    monkeypatch.chdir(tmp_path)
    for name in ("root", "release", "later"):
        assert run("key", "create", f"{name}.pem", "--without-passphrase") == 0
    assert run("key", "root", "--root-key", "root.pem", "--release-key", "release.pem") == 0
    unsigned = ("--root-key", "root.pem.pub", "--release-key", "release.pem.pub", "--output", "pending")
    assert run("key", "root", *unsigned) == 0
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle/sealift.lock").write_text("x")
    receipt = {"version": 1, "registry": "r:5000", "bundle": "0", "kubernetes": "1.34"}
    lists: dict[str, list[str]] = {k: [] for k in ("images", "models", "parts", "runtimes", "exclusions")}
    (tmp_path / "receipt.json").write_text(json.dumps(receipt | lists))
    (tmp_path / "images.txt").write_text("quay.io/org/app:v1\n")
    lock = {"version": 1, "kubernetes": "1.34", "platforms": []} | lists
    (tmp_path / "sealift.lock").write_text(json.dumps(lock))
    (tmp_path / "questions.jsonl").write_text(
        json.dumps({"custom_id": "a", "method": "POST", "url": "/v1/completions", "body": {"model": "m"}}) + "\n"
    )
    assert run("access", "issuer", "create", "--domain", "models.internal") == 0
    assert run("access", "issuer", "rotate") == 0
    return tmp_path


def run(*arguments: str) -> int:
    return cli.run(sealift.assemble(list(arguments)), list(arguments))


DRY = [
    ["key", "create", "new.pem", "--without-passphrase"],
    ["key", "root", "--root-key", "root.pem", "--release-key", "later.pem", "--output", "others"],
    ["key", "rotate", "--release-key", "later.pem", "--sign-with", "root.pem"],
    ["key", "endorse", "pending/1.root.json", "--key", "root.pem"],
    ["trust", "init", "roots/1.root.json"],
    ["bundle", "sign", "bundle", "--key", "release.pem"],
    ["nodeconfig", "containerd", "--receipt", "receipt.json"],
    ["nodeconfig", "k3s", "--receipt", "receipt.json"],
    ["nodeconfig", "openshift", "--receipt", "receipt.json"],
    ["nodeconfig", "crio", "--receipt", "receipt.json"],
    ["nodeconfig", "apiserver"],
    ["export", "hauler"],
    ["import", "list", "images.txt", "--output", "imported.yaml"],
    ["batch", "questions.jsonl", "--url", "https://models.internal/v1", "--output", "answers.jsonl"],
]
"""Commands that need neither a registry nor a cluster; of the others the tests with registries tell."""


@pytest.mark.parametrize("command", DRY, ids=lambda c: " ".join(c[:2]))
@pytest.mark.parametrize("as_json", [[], ["--json"]], ids=["for people", "as JSON"])
def test_a_dry_run_writes_nothing_and_says_what_it_would(
    here: Path, command: list[str], as_json: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    def files() -> dict[str, bytes]:
        return {str(p): p.read_bytes() for p in here.rglob("*") if p.is_file()}

    before = files()
    capsys.readouterr()
    assert run(*command, "--dry-run", *as_json) == 0
    said = capsys.readouterr().out
    assert json.loads(said) if as_json else "would" in said
    assert files() == before
    assert run(*command) == 0 or command[0] == "batch", "what was only told works when it is meant"
    assert files() != before or command[0] == "batch"


def test_a_dry_run_of_retiring_a_key_says_whose_keys_would_end(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run("access", "issuer", "show", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    old = next(k for k in shown["alive"] if k != shown["signs"])
    assert run("access", "issuer", "retire", old, "--dry-run", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"kids": [shown["signs"]], "end": []}
    assert run("access", "issuer", "show", "--json") == 0
    assert json.loads(capsys.readouterr().out) == shown


def test_a_dry_run_refuses_what_the_command_would_refuse(here: Path) -> None:
    assert run("key", "create", "root.pem", "--without-passphrase", "--dry-run") == 2
    assert run("key", "root", "--root-key", "root.pem", "--release-key", "later.pem", "--dry-run") == 2
    assert run("bundle", "sign", "bundle", "--key", "later.pem", "--dry-run") == 2
