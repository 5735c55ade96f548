"""The node configurations, given to those who read them: containers/image, Rancher's wharfie, OpenShift's schemas."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from mirror.nodeconfig import crio, k3s, openshift
from mirror.nodeconfig.places import Places, write

from ..test_nodeconfig import receipt

if TYPE_CHECKING:
    from conftest import Authority, Publisher, Registry

ROOT = Path(__file__).parents[4]
GO = ROOT / "testbed/toolchain/gomods/istio"
"""A module of the toolchain that pins github.com/openshift/api."""


@dataclass(frozen=True)
class Inside:
    """The internal registry with ``quay.io/org/app`` and nothing else in it."""

    registry: Registry
    authority: Authority
    digest: str

    @property
    def places(self) -> Places:
        return Places.of(receipt(f"{self.registry.host}/sealift"))


@pytest.fixture
def site(inside: Registry, site_ca: Authority, publisher: Publisher, tmp_path: Path) -> Inside:
    image = publisher.manifest("amd64", [publisher.layer("nodeconfig")])
    publisher.push("quay.io/org/app:1", image)
    certificates = tmp_path / "certificates"
    certificates.mkdir()
    (certificates / "ca.crt").write_bytes(site_ca.ca.read_bytes())
    source = f"docker://{publisher.registry.host}/quay.io/org/app:1"
    target = f"docker://{inside.host}/sealift/quay.io/org/app:1"
    options = ["-q", "--preserve-digests", "--src-tls-verify=false", "--dest-cert-dir", str(certificates)]
    subprocess.run(["skopeo", "copy", *options, source, target], check=True)
    return Inside(inside, site_ca, image.digest)


def skopeo(site: Inside, tmp_path: Path, name: str) -> subprocess.CompletedProcess[str]:
    """``skopeo inspect`` as a node that has our registries.conf would look for ``name``."""
    (conf,) = write(crio.files(site.places), tmp_path / "containers")
    command = ["skopeo", "--registries-conf", str(conf), "inspect", "--raw", "--cert-dir"]
    command += [str(tmp_path / "certificates"), f"docker://{name}"]
    return subprocess.run(command, check=False, capture_output=True, text=True)


@pytest.mark.parametrize("by", ["tag", "digest"])
def test_containers_image_takes_an_upstream_name_from_inside(site: Inside, tmp_path: Path, by: str) -> None:
    done = skopeo(site, tmp_path, f"quay.io/org/app{':1' if by == 'tag' else f'@{site.digest}'}")
    assert done.returncode == 0, done.stderr
    assert '"layers"' in done.stdout


def test_containers_image_does_not_ask_outside_for_what_is_not_there(site: Inside, tmp_path: Path) -> None:
    done = skopeo(site, tmp_path, "quay.io/org/absent:1")
    assert done.returncode
    assert "registry quay.io is blocked" in done.stderr


@pytest.fixture(scope="session")
def wharfie(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that pulls as K3s and RKE2 do, by Rancher's own package."""
    built = tmp_path_factory.mktemp("wharfie") / "pull"
    command = ["go", "build", "-mod=readonly", "-trimpath", "-o", str(built), "."]
    subprocess.run(command, cwd=Path(__file__).with_name("k3s"), check=True, env={**os.environ, "CGO_ENABLED": "0"})
    return built


def test_rancher_takes_an_upstream_name_from_inside(site: Inside, wharfie: Path, tmp_path: Path) -> None:
    files = k3s.files(site.places, PurePosixPath(site.authority.ca))
    registries, _ = write(files, tmp_path / "rancher")
    command = [str(wharfie), str(registries), f"quay.io/org/app@{site.digest}"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.stdout.strip() == site.digest, done.stderr


def test_rancher_notices_a_wrong_rewrite(site: Inside, wharfie: Path, tmp_path: Path) -> None:
    files = k3s.files(site.places, PurePosixPath(site.authority.ca))
    registries, _ = write(
        {n: t.replace("sealift/quay.io", "elsewhere") for n, t in files.items()}, tmp_path / "rancher"
    )
    command = [str(wharfie), str(registries), f"quay.io/org/app@{site.digest}"]
    assert subprocess.run(command, check=False, capture_output=True).returncode


def schema(kind: str) -> Any:  # noqa: ANN401
    """OpenShift's own schema of ``kind``, out of the pinned Go module."""
    command = ["go", "list", "-m", "-f", "{{.Dir}}", "github.com/openshift/api"]
    subprocess.run(["go", "mod", "download", "github.com/openshift/api"], cwd=GO, check=True, capture_output=True)
    module = Path(subprocess.run(command, cwd=GO, check=True, capture_output=True, text=True).stdout.strip())
    (path,) = (module / "payload-manifests/crds").glob(f"*_{kind.lower()}s.crd.yaml")
    return yaml.safe_load(path.read_text())["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def closed(node: Any) -> Any:  # noqa: ANN401
    """A schema that refuses fields it does not know, as the API server with strict validation does."""
    if isinstance(node, list):
        return [closed(n) for n in node]
    if not isinstance(node, dict):
        return node
    made = {k: closed(v) for k, v in node.items()}
    if "properties" in made and made.get("type") == "object":
        made["additionalProperties"] = False
    return made


@pytest.mark.parametrize("kind", ["ImageDigestMirrorSet", "ImageTagMirrorSet"])
def test_openshifts_schema_accepts_the_mirror_sets(kind: str) -> None:
    (document,) = [
        d
        for d in yaml.safe_load_all(
            openshift.files(Places.of(receipt("registry.site:5000/p")), None)["mirror-sets.yaml"]
        )
        if d["kind"] == kind
    ]
    validator = Draft202012Validator(closed(schema(kind)))
    validator.validate(document)
    (mirrors,) = document["spec"].values()
    mirrors[0]["mirrorSourcePolicy"] = "Sometimes"
    assert list(validator.iter_errors(document))
