"""The API server's files: keys are made once, never lost, and never readable by others."""

from __future__ import annotations

import base64
import json
from pathlib import Path, PurePosixPath

import pytest
import yaml

from mirror import apiserver, cli
from mirror.apiserver import Keys
from mirror.errors import BadInput

AT = PurePosixPath("/etc/kubernetes/sealift")
POLICY = yaml.safe_load(apiserver.AUDIT_POLICY.read_text())


def written(output: Path, keys: Keys) -> dict[str, object]:
    apiserver.write(output, directory=AT, log=PurePosixPath("/var/log/audit.log"), keys=keys)
    return yaml.safe_load((output / apiserver.ENCRYPTION).read_text())


def providers(output: Path) -> list[str]:
    document = yaml.safe_load((output / apiserver.ENCRYPTION).read_text())
    return [kind for provider in document["resources"][0]["providers"] for kind in provider]


def command(output: Path, *words: str) -> int:
    return cli.run(cli.app, ["nodeconfig", "apiserver", "--output", str(output), *words])


def test_the_first_key_has_the_length_that_secretbox_takes() -> None:
    [key] = Keys().next(kms=None, another=False).secretbox
    assert len(base64.b64decode(key)) == apiserver.KEY_BYTES


def test_writing_again_keeps_the_key(tmp_path: Path) -> None:
    assert command(tmp_path) == 0
    first = apiserver.kept(tmp_path / apiserver.ENCRYPTION)
    assert command(tmp_path) == 0
    assert apiserver.kept(tmp_path / apiserver.ENCRYPTION) == first


def test_a_new_key_comes_first_and_the_old_one_keeps_its_name(tmp_path: Path) -> None:
    command(tmp_path)
    [old] = apiserver.kept(tmp_path / apiserver.ENCRYPTION).secretbox
    assert command(tmp_path, "--new-key") == 0
    document = yaml.safe_load((tmp_path / apiserver.ENCRYPTION).read_text())
    new, kept = document["resources"][0]["providers"][0]["secretbox"]["keys"]
    assert kept == {"name": "key1", "secret": old}
    assert new["name"] == "key2"
    assert new["secret"] != old


def test_what_was_stored_in_the_clear_stays_readable(tmp_path: Path) -> None:
    command(tmp_path)
    assert providers(tmp_path) == ["secretbox", "identity"]


def test_a_kms_plugin_comes_before_the_keys_that_are_there_and_they_stay(tmp_path: Path) -> None:
    command(tmp_path)
    assert command(tmp_path, "--kms", "/run/kms.sock") == 0
    assert providers(tmp_path) == ["kms", "secretbox", "identity"]
    assert apiserver.kept(tmp_path / apiserver.ENCRYPTION).kms == PurePosixPath("/run/kms.sock")


def test_a_kms_plugin_alone_needs_no_key_in_a_file(tmp_path: Path) -> None:
    command(tmp_path, "--kms", "/run/kms.sock")
    assert providers(tmp_path) == ["kms", "identity"]


def test_a_new_key_beside_a_kms_plugin_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command(tmp_path, "--kms", "/run/kms.sock")
    assert command(tmp_path, "--new-key") == BadInput.exit_code
    assert "/run/kms.sock" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "a: [", "kind: EncryptionConfiguration\n", json.dumps({"resources": []})])
def test_a_file_of_another_origin_is_not_overwritten(tmp_path: Path, text: str) -> None:
    (tmp_path / apiserver.ENCRYPTION).write_text(text)
    assert command(tmp_path) == BadInput.exit_code
    assert (tmp_path / apiserver.ENCRYPTION).read_text() == text


def test_the_keys_are_readable_by_their_owner_alone_and_only_they_are(tmp_path: Path) -> None:
    written(tmp_path, Keys(("a" * 44,)))
    modes = {p.name: p.stat().st_mode & 0o777 for p in tmp_path.iterdir()}
    assert modes.pop(apiserver.ENCRYPTION) == 0o600
    assert set(modes.values()) == {0o644}
    assert [p.name for p in tmp_path.iterdir() if "a" * 44 in p.read_text()] == [apiserver.ENCRYPTION]


def test_the_flags_name_the_files_as_they_lie_on_the_node(tmp_path: Path) -> None:
    written(tmp_path, Keys(("a" * 44,)))
    flags = (tmp_path / apiserver.FLAGS).read_text().splitlines()
    named = {f.partition("=")[2] for f in flags if str(AT) in f}
    assert named == {str(AT / n) for n in (apiserver.AUDIT, apiserver.AUTHENTICATION, apiserver.ENCRYPTION)}


def test_nameless_callers_may_only_ask_whether_the_server_is_well() -> None:
    conditions = apiserver.authentication()["anonymous"]["conditions"]
    assert {c["path"] for c in conditions} == {"/healthz", "/livez", "/readyz"}


@pytest.mark.parametrize(
    ("group", "resource"),
    [
        ("", "secrets"),
        ("", "configmaps"),
        ("", "serviceaccounts/token"),
        ("authentication.k8s.io", "tokenreviews"),
    ],
)
def test_no_rule_that_could_come_first_writes_down_the_body_of(group: str, resource: str) -> None:
    rule = next(r for r in POLICY["rules"] if covers(r, group, resource))
    assert rule["level"] == "Metadata"
    assert set(rule) == {"level", "resources"}  # whoever asks, and whatever for


def test_a_rule_that_writes_bodies_names_no_kind_that_carries_an_environment() -> None:
    bodies = [r for r in POLICY["rules"] if r["level"].startswith("Request") and "userGroups" not in r]
    assert bodies
    for rule in bodies:
        for group, resource in (("", "pods"), ("apps", "deployments"), ("serving.kserve.io", "inferenceservices")):
            assert not covers(rule, group, resource)


def test_what_no_rule_names_is_told_too() -> None:
    assert POLICY["rules"][-1] == {"level": "Metadata"}


def covers(rule: dict[str, object], group: str, resource: str) -> bool:
    if "nonResourceURLs" in rule:
        return False
    listed = rule.get("resources")
    if not isinstance(listed, list):
        return True
    return any(r["group"] == group and resource in r.get("resources", [resource]) for r in listed)
