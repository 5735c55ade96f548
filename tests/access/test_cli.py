from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from access import cli
from access.issuer import Issuer
from mirror.errors import BadInput


def sealift(*arguments: str, given: str | None = None) -> Result:
    return CliRunner().invoke(cli.app, arguments, input=given)


@pytest.fixture
def directory(tmp_path: Path) -> str:
    directory = str(tmp_path / "access")
    assert sealift("issuer", "create", "--domain", "models.test", "--issuer", directory).exit_code == 0
    return directory


def test_an_issued_key_stands_alone_on_stdout_and_what_it_is_on_stderr(directory: str) -> None:
    done = sealift("key", "issue", "--tenant", "research", "--days", "30", "--issuer", directory)
    assert done.exit_code == 0, done.output
    assert done.stdout.count(".") == 2
    assert "key" in done.stderr and "research" in done.stderr
    assert done.stdout.strip() not in done.stderr


def test_a_key_for_a_file_is_nowhere_else(directory: str, tmp_path: Path) -> None:
    file = tmp_path / "research.key"
    done = sealift(
        *("key", "issue", "--tenant", "research", "--days", "30", "--issuer", directory, "--output", str(file))
    )
    assert done.exit_code == 0, done.output
    assert file.read_text().strip() not in done.output
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_key_is_shown_from_stdin_without_its_signature(directory: str) -> None:
    token = sealift("key", "issue", "--tenant", "research", "--days", "30", "--issuer", directory).stdout.strip()
    done = sealift("key", "show", "--issuer", directory, given=token)
    assert "signed by this issuer: true" in done.stdout
    assert "tenant: research" in done.stdout
    assert token.rpartition(".")[2] not in done.output


def test_the_ids_to_revoke_are_listed_by_tenant(directory: str) -> None:
    for tenant in ("research", "website"):
        sealift("key", "issue", "--tenant", tenant, "--days", "30", "--issuer", directory)
    listed = json.loads(sealift("key", "list", "--tenant", "website", "--issuer", directory, "--json").stdout)
    (record,) = listed["keys"]
    assert record["tenant"] == "website"
    assert record["id"] in sealift("key", "list", "--issuer", directory).stdout


def test_a_rotation_shows_what_signs_and_what_is_still_alive(directory: str) -> None:
    sealift("key", "issue", "--tenant", "research", "--days", "30", "--issuer", directory)
    old = Issuer(Path(directory)).key().kid
    assert sealift("issuer", "rotate", "--issuer", directory).exit_code == 0
    shown = json.loads(sealift("issuer", "show", "--issuer", directory, "--json").stdout)
    assert shown["signs"] != old
    assert shown["alive"] == {shown["signs"]: 0, old: 1}
    retired = sealift("issuer", "retire", old, "--issuer", directory)
    assert retired.exit_code == 0, retired.output
    assert f"{old}  " not in sealift("issuer", "show", "--issuer", directory).stdout


def test_a_file_that_is_not_there_is_an_error_with_a_way_out(directory: str) -> None:
    done = sealift("key", "show", "/no/such/file", "--issuer", directory)
    assert isinstance(done.exception, BadInput)
