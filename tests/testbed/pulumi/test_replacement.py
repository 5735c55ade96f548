from __future__ import annotations

import pytest

from testbed.pulumi.provider.properties import Path
from testbed.pulumi.provider.replacement import replaces, replacing_fields


def fields(version: str, kind: str, **extra: object) -> tuple[str, ...]:
    manifest = {"apiVersion": version, "kind": kind, **extra}
    return replacing_fields(manifest, mutable_configmaps=False, mutable_secrets=False)


@pytest.mark.parametrize(
    ("version", "kind", "path"),
    [
        ("apps/v1", "Deployment", ("metadata", "name")),
        ("apps/v1", "Deployment", ("spec", "selector", "matchLabels", "app")),
        ("apps/v1", "StatefulSet", ("spec", "volumeClaimTemplates", 0, "spec")),
        ("batch/v1", "Job", ("spec", "template", "spec", "containers", 0, "image")),
        ("v1", "Service", ("spec", "clusterIP")),
        ("v1", "Pod", ("spec", "containers", 0, "image")),
        ("v1", "ConfigMap", ("data", "key")),
        ("v1", "Secret", ("data", "key")),
        ("rbac.authorization.k8s.io/v1", "RoleBinding", ("roleRef", "name")),
        ("v1", "PersistentVolumeClaim", ("spec",)),
    ],
)
def test_what_an_api_server_will_not_change_replaces_the_object(version: str, kind: str, path: Path) -> None:
    assert replaces(path, fields(version, kind))


@pytest.mark.parametrize(
    ("version", "kind", "path"),
    [
        ("apps/v1", "Deployment", ("spec", "template", "spec", "containers", 0, "image")),
        (
            "apps/v1",
            "Deployment",
            (
                "spec",
                "selectorless",
            ),
        ),
        ("v1", "Service", ("spec", "clusterIPs")),
        ("v1", "ConfigMap", ("metadata", "labels", "a")),
        ("example.com/v1", "Job", ("spec", "template")),
        ("v1", "Namespace", ("metadata", "labels")),
    ],
)
def test_other_changes_are_made_in_place(version: str, kind: str, path: Path) -> None:
    assert not replaces(path, fields(version, kind))


def test_data_changes_in_place_when_the_provider_is_told_so_and_the_object_is_not_immutable() -> None:
    configmap = {"apiVersion": "v1", "kind": "ConfigMap"}
    mutable = replacing_fields(configmap, mutable_configmaps=True, mutable_secrets=False)
    fixed = replacing_fields({**configmap, "immutable": True}, mutable_configmaps=True, mutable_secrets=False)
    assert not replaces(("data", "key"), mutable)
    assert replaces(("data", "key"), fixed)
