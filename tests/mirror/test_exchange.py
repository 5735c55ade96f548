"""To and from Hauler, Zarf and oc-mirror: nothing is lost without being said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec import structs

from mirror import cli
from mirror.catalog import Catalog, ChartSource, ImagesSource, ManifestSource
from mirror.errors import BadInput, LicenceRefused
from mirror.evidence.policy import Keyless, SignatureRule
from mirror.exchange import inward, outward
from mirror.lock import (
    Lock,
    LockedChart,
    LockedFile,
    LockedImage,
    LockedManifest,
    LockedModel,
    LockedPart,
)
from mirror.resolve import check_licences

ONE, TWO = "sha256:" + "1" * 64, "sha256:" + "2" * 64


def lock(**changes: object) -> Lock:
    part: dict[str, Any] = {"licence": "MIT", "namespace": "ns"}
    image: dict[str, Any] = {"upstream_digest": TWO, "media_type": "m", "platforms": [], "size": 1, "licence": "MIT"}
    chart = LockedChart(reference="quay.io/org/charts/demo:1.2.3", digest=ONE, release="r", values={"a": {"b": 1}})
    file = LockedFile(name="core.yaml", sha256="3" * 64, size=1)
    made = Lock(
        kubernetes="1.34",
        platforms=["linux/amd64"],
        parts=[
            LockedPart(name="demo", content=chart, images=["quay.io/org/app:1"], **part),
            LockedPart(
                name="yaml", content=LockedManifest(urls=["https://h/core.yaml"], files=[file]), images=[], **part
            ),
        ],
        images=[
            LockedImage(reference="docker.io/org/runtime:2", digest=ONE, found=[], **image),
            LockedImage(reference="quay.io/org/app:1", digest=ONE, found=[], **image),
        ],
        models=[LockedModel(name="m", origin="hub.test/a/b", revision="c", licence="MIT", files=[])],
        runtimes=[],
        exclusions=[],
    )
    return structs.replace(made, **changes)


def exported(format_: str, **changes: object) -> tuple[dict[str, Any], list[str]]:
    made = outward.export(lock(**changes), format_)
    return {n: list(yaml.safe_load_all(t)) for n, t in made.files.items()}, made.left


def test_hauler_gets_images_charts_and_files() -> None:
    files, left = exported("hauler")
    images, charts, remote = files["hauler.yaml"]
    assert images["apiVersion"] == "content.hauler.cattle.io/v1"
    assert images["spec"]["images"][1] == {"name": f"quay.io/org/app:1@{TWO}", "platform": "linux/amd64"}
    assert charts["spec"]["charts"] == [{"name": "demo", "repoURL": "oci://quay.io/org/charts", "version": "1.2.3"}]
    assert remote["spec"]["files"] == [{"path": "https://h/core.yaml", "name": "yaml-core.yaml"}]
    assert left == [
        "model m: it comes from a hub or a directory, not from a registry",
        "part demo: the values that its chart is rendered with",
    ]


def test_hauler_gets_the_keyless_signer_that_a_rule_names() -> None:
    rules = [SignatureRule(images="quay.io/**", keyless=[Keyless(issuer="https://i", identity="a@b")])]
    files, _ = exported("hauler", signature_rules=rules)
    other, signed = files["hauler.yaml"][0]["spec"]["images"]
    assert (signed["certificate-identity"], signed["certificate-oidc-issuer"]) == ("a@b", "https://i")
    assert "certificate-identity" not in other
    rules = [SignatureRule(images="**", keyless=[Keyless(issuer="https://i", identity_pattern="a|b")])]
    files, _ = exported("hauler", signature_rules=rules)
    assert files["hauler.yaml"][0]["spec"]["images"][0]["certificate-identity-regexp"] == "^(?:a|b)$"


def test_zarf_gets_a_component_for_each_part_with_its_values() -> None:
    files, left = exported("zarf")
    (package,) = files["zarf.yaml"]
    assert package["kind"] == "ZarfPackageConfig"
    assert package["metadata"]["architecture"] == "amd64"
    demo, manifests, loose = package["components"]
    assert demo["charts"] == [
        {
            "name": "demo",
            "version": "1.2.3",
            "url": "oci://quay.io/org/charts/demo",
            "namespace": "ns",
            "releaseName": "r",
            "valuesFiles": ["values/demo.yaml"],
        }
    ]
    assert files["values/demo.yaml"] == [{"a": {"b": 1}}]
    assert demo["images"] == [f"quay.io/org/app:1@{TWO}"]
    assert manifests["manifests"][0]["files"] == [f"https://h/core.yaml@{'3' * 64}"]
    assert loose["images"] == [f"docker.io/org/runtime:2@{TWO}"]
    assert len(left) == 1


def test_oc_mirror_gets_the_images_and_the_rest_is_said() -> None:
    files, left = exported("oc-mirror")
    (configuration,) = files["imageset-config.yaml"]
    assert configuration["apiVersion"] == "mirror.openshift.io/v2alpha1"
    assert configuration["mirror"]["additionalImages"][1] == {
        "name": f"quay.io/org/app@{TWO}",
        "targetTag": "1",
        "platforms": [{"os": "linux", "architecture": "amd64"}],
    }
    assert [line.partition(":")[0] for line in left] == ["model m", "part demo", "part yaml"]


# Inward


def imported(tmp_path: Path, format_: str, text: str) -> inward.Imported:
    (tmp_path / "given").write_text(text)
    return inward.read(tmp_path / "given", format_)


def images(catalog: Catalog) -> list[str]:
    return [i for p in catalog.parts if isinstance(p.source, ImagesSource) for i in p.source.images]


def test_a_plain_list_is_completed_sorted_and_freed_of_comments(tmp_path: Path) -> None:
    signature = f"quay.io/a/b:sha256-{'a' * 64}.sig\n"  # found by the lock itself
    found = imported(tmp_path, "list", "# ours\nquay.io/a/b:1  # why\n\nbusybox\nquay.io/a/b:1\nNo Image\n" + signature)
    assert images(found.catalog) == ["docker.io/library/busybox:latest", "quay.io/a/b:1"]
    assert [line.partition(": ")[0] for line in found.left] == ["image No Image"]


@pytest.mark.parametrize("format_", ["hauler", "zarf", "oc-mirror"])
def test_what_was_exported_is_imported_again(tmp_path: Path, format_: str) -> None:
    made = outward.export(lock(), format_)
    name = next(n for n in made.files if "/" not in n)
    found = imported(tmp_path, format_, made.files[name])
    bare = {i.partition("@")[0].rpartition("/")[2].partition(":")[0] for i in images(found.catalog)}
    assert bare == {"app", "runtime"}
    assert all(i.endswith(TWO) for i in images(found.catalog))
    if format_ != "oc-mirror":
        (chart,) = [p.source for p in found.catalog.parts if isinstance(p.source, ChartSource)]
        assert (chart.oci, chart.version) == ("quay.io/org/charts/demo", "1.2.3")
        (release,) = [p.source for p in found.catalog.parts if isinstance(p.source, ManifestSource)]
        assert release.urls == ["https://h/core.yaml"]


def test_what_a_catalog_cannot_say_is_said(tmp_path: Path) -> None:
    zarf = """
kind: ZarfPackageConfig
components:
  - name: c
    images: [quay.io/a/b:1]
    repos: [https://h/x.git]
    charts: [{name: local, localPath: x}, {name: old, url: https://h, version: "1"}]
    manifests: [{name: m, files: [local.yaml]}]
"""
    left = "; ".join(imported(tmp_path, "zarf", zarf).left)
    for expected in (
        "component c: its repos",
        "chart local: its values files",
        "old: https://h is no oci://",
        "local.yaml",
    ):
        assert expected in left
    oc = "kind: ImageSetConfiguration\nmirror: {operators: [{catalog: x}], additionalImages: [{name: quay.io/a/b:1}]}\n"
    assert imported(tmp_path, "oc-mirror", oc).left == [
        "operators: of OpenShift itself, which is not for a catalog to carry"
    ]


def test_parts_of_one_name_are_told_apart(tmp_path: Path) -> None:
    chart = "{name: x, repoURL: 'oci://h/c', version: '1'}"
    text = f"apiVersion: content.hauler.cattle.io/v1\nkind: Charts\nspec: {{charts: [{chart}, {chart}]}}\n"
    assert [p.name for p in imported(tmp_path, "hauler", text).catalog.parts] == ["x", "x-2"]


@pytest.mark.parametrize("text", ["", "- a\n", "kind: Other\n", "a: [", "spec: 3\n"])
def test_what_is_not_the_tools_file_is_bad_input(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadInput):
        imported(tmp_path, "hauler", text)


def test_what_was_imported_is_not_locked_before_somebody_gives_it_a_licence(tmp_path: Path) -> None:
    found = imported(tmp_path, "list", "quay.io/a/b:1\n")
    with pytest.raises(LicenceRefused, match="LicenseRef-Unknown"):
        check_licences(found.catalog.model_copy(update={"licences": ["MIT"]}))


def test_the_commands_write_files_and_say_what_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    lock().write(tmp_path / "sealift.lock")
    assert cli.run(cli.app, ["export", "oc-mirror"]) == 0
    assert "left behind: model m" in capsys.readouterr().err
    assert cli.run(cli.app, ["import", "oc-mirror", "export/imageset-config.yaml"]) == 0
    assert [p.name for p in Catalog.read(tmp_path / "catalog/imported.yaml").parts] == ["images"]
    assert cli.run(cli.app, ["import", "oc-mirror", "export/imageset-config.yaml"]) == 2
    assert cli.run(cli.app, ["export", "tar"]) == 2
