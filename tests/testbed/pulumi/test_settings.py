from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from testbed.pulumi.provider import kubeconfig
from testbed.pulumi.provider.properties import UNKNOWN
from testbed.pulumi.provider.settings import Settings, changed, is_reachable, replacing


def document(server: str = "https://10.0.0.1:6443", **user: object) -> dict[str, object]:
    return {
        "current-context": "one",
        "clusters": [{"name": "c", "cluster": {"server": server, "insecure-skip-tls-verify": True}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u", "namespace": "mine"}}],
    }


def test_server_side_apply_is_the_default_and_texts_are_booleans() -> None:
    assert Settings.read({}).server_side_apply
    assert not Settings.read({"enableServerSideApply": "false"}).server_side_apply
    assert Settings.read({"upsertExistingObjects": "true"}).upsert_existing


def test_the_configuration_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_K8S_ENABLE_CONFIGMAP_MUTABLE", "true")
    assert Settings.read({}).mutable_configmaps
    assert not Settings.read({"enableConfigMapMutable": "false"}).mutable_configmaps


def test_a_cluster_that_is_not_known_yet_is_not_reachable_and_replaces() -> None:
    assert not is_reachable({"kubeconfig": UNKNOWN})
    assert replacing({"kubeconfig": "{}"}, {"kubeconfig": UNKNOWN}) == ["kubeconfig"]


def test_only_another_cluster_replaces() -> None:
    old, same = yaml.safe_dump(document(token="a")), yaml.safe_dump(document(token="b"))
    other = yaml.safe_dump(document("https://10.0.0.2:6443"))
    assert changed({"kubeconfig": old}, {"kubeconfig": same, "version": "1"}) == ["kubeconfig"]
    assert replacing({"kubeconfig": old}, {"kubeconfig": same}) == []
    assert replacing({"kubeconfig": old}, {"kubeconfig": other}) == ["kubeconfig"]
    assert replacing({"kubeconfig": "/gone"}, {"kubeconfig": other}) == []


def test_a_kubeconfig_gives_the_server_the_namespace_and_the_token() -> None:
    found = kubeconfig.access(yaml.safe_dump(document(token="secret")))
    assert (found.server, found.namespace) == ("https://10.0.0.1:6443", "mine")
    assert found.headers["Authorization"] == "Bearer secret"


def test_a_kubeconfig_file_may_name_files_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("from-file\n")
    (tmp_path / "config").write_text(yaml.safe_dump(document(tokenFile="token")))
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/absent:{tmp_path}/config")
    assert kubeconfig.access("").headers["Authorization"] == "Bearer from-file"


def test_a_credential_plugin_is_asked_for_a_token(tmp_path: Path) -> None:
    plugin = tmp_path / "plugin"
    plugin.write_text('#!/bin/sh\nprintf \'{"status": {"token": "%s"}}\' "$GIVEN"\n')
    plugin.chmod(0o755)
    variables = [{"name": "GIVEN", "value": "asked"}]
    exec_entry = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(plugin), "env": variables}
    found = kubeconfig.access(yaml.safe_dump(document(exec=exec_entry)))
    assert found.headers["Authorization"] == "Bearer asked"


def test_a_missing_kubeconfig_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/nowhere/config")
    with pytest.raises(FileNotFoundError, match="set KUBECONFIG"):
        kubeconfig.access("")


def test_a_context_without_a_cluster_is_refused() -> None:
    with pytest.raises(ValueError, match="'absent' names no cluster"):
        kubeconfig.access(yaml.safe_dump(document()), context="absent")
