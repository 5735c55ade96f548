"""Every node's configuration comes from one map, and leads inside and nowhere else."""

from __future__ import annotations

import tomllib
from pathlib import Path, PurePosixPath

import pytest
import yaml

from mirror.nodeconfig import containerd, crio, k3s, openshift
from mirror.nodeconfig.places import Places, write
from mirror.receipt import Receipt, ReceivedImage, ReceivedModel

DIGEST = "sha256:" + "0" * 64
UPSTREAM = ["corp.test:5000", "docker.io", "hub.test", "quay.io"]


def receipt(registry: str) -> Receipt:
    names = ["docker.io/org/app:1", "quay.io/org/app:1", "docker.io/org/other:1", "corp.test:5000/app:1"]
    return Receipt(
        registry=registry,
        bundle="b",
        kubernetes="1.34",
        images=[ReceivedImage(reference=n, digest=DIGEST, mirrored="x", size=1) for n in names],
        models=[
            ReceivedModel(name=o, origin=o, revision="r", licence="l", digest=DIGEST, mirrored="x", size=1)
            for o in ("hub.test/a/b", "directory/c")
        ],
        parts=[],
        runtimes=[],
        exclusions=[],
    )


@pytest.fixture
def places() -> Places:
    return Places.of(receipt("10.0.0.1:5000/sealift"))


def test_the_map_has_every_upstream_registry_where_names_are_mirrored_to(places: Places) -> None:
    assert places.registry == "10.0.0.1:5000"
    assert places.below == {n: f"sealift/{n.replace(':', '_')}" for n in UPSTREAM}


def test_containerd_asks_the_internal_registry_for_all_of_them(places: Places) -> None:
    files = containerd.files(places, PurePosixPath("/etc/ca.pem"))
    assert sorted(files) == [
        f"{d}/hosts.toml" for d in ("10.0.0.1_5000_", "corp.test_5000_", "docker.io", "hub.test", "quay.io")
    ]
    for text in files.values():
        hosts = tomllib.loads(text)
        assert list(hosts["host"]) == [hosts["server"]]
        assert hosts["server"].startswith("https://10.0.0.1:5000/v2")
        assert hosts["host"][hosts["server"]] == {
            "capabilities": ["pull", "resolve"],
            "override_path": True,
            "ca": "/etc/ca.pem",
        }
    assert tomllib.loads(files["quay.io/hosts.toml"])["server"] == "https://10.0.0.1:5000/v2/sealift/quay.io"
    assert tomllib.loads(files["10.0.0.1_5000_/hosts.toml"])["server"] == "https://10.0.0.1:5000/v2"
    assert "ca =" not in containerd.files(places, None)["quay.io/hosts.toml"]


def test_k3s_rewrites_repositories_and_asks_nobody_else(places: Places) -> None:
    files = k3s.files(places, PurePosixPath("/etc/ca.pem"))
    registries = yaml.safe_load(files["registries.yaml"])
    assert sorted(registries["mirrors"]) == ["10.0.0.1:5000", *UPSTREAM]
    assert {tuple(m["endpoint"]) for m in registries["mirrors"].values()} == {("https://10.0.0.1:5000",)}
    assert registries["mirrors"]["corp.test:5000"]["rewrite"] == {"^(.*)$": "sealift/corp.test_5000/$1"}
    assert "rewrite" not in registries["mirrors"]["10.0.0.1:5000"]
    assert registries["configs"] == {"10.0.0.1:5000": {"tls": {"ca_file": "/etc/ca.pem"}}}
    assert yaml.safe_load(files["config.yaml.d/sealift.yaml"]) == {"disable-default-registry-endpoint": True}
    assert "configs" not in yaml.safe_load(k3s.files(places, None)["registries.yaml"])


def test_openshift_never_contacts_the_source(places: Places) -> None:
    files = openshift.files(places, None)
    digests, tags = yaml.safe_load_all(files["mirror-sets.yaml"])
    assert [digests["kind"], tags["kind"]] == ["ImageDigestMirrorSet", "ImageTagMirrorSet"]
    assert digests["spec"]["imageDigestMirrors"] == tags["spec"]["imageTagMirrors"]
    assert [m["source"] for m in tags["spec"]["imageTagMirrors"]] == UPSTREAM
    assert {m["mirrorSourcePolicy"] for m in tags["spec"]["imageTagMirrors"]} == {"NeverContactSource"}
    assert list(files) == ["mirror-sets.yaml"]


def test_openshift_trusts_the_registrys_authority_if_it_is_given(places: Places) -> None:
    config_map, image = yaml.safe_load_all(openshift.files(places, "PEM")["registry-trust.yaml"])
    assert config_map["data"] == {"10.0.0.1..5000": "PEM"}
    assert image["spec"]["additionalTrustedCA"]["name"] == config_map["metadata"]["name"]


def test_crio_has_each_upstream_registry_blocked_but_for_its_mirror(places: Places) -> None:
    conf = tomllib.loads(crio.files(places)["registries.conf.d/50-sealift.conf"])
    assert [r["prefix"] for r in conf["registry"]] == UPSTREAM
    assert all(r["blocked"] for r in conf["registry"])
    assert conf["registry"][-1]["mirror"] == [{"location": "10.0.0.1:5000/sealift/quay.io"}]
    assert conf["unqualified-search-registries"] == []


def test_the_files_are_written_below_the_output(tmp_path: Path) -> None:
    assert write({"quay.io/hosts.toml": "x"}, tmp_path) == [tmp_path / "quay.io/hosts.toml"]
    assert (tmp_path / "quay.io/hosts.toml").read_text() == "x"
