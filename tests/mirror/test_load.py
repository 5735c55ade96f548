"""Loading a bundle into a real registry behind TLS with a private authority."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import structs

from mirror import load as loading
from mirror import sending
from mirror.bundle import Bundle
from mirror.distribution.endpoint import Patience
from mirror.errors import BadInput, Damaged, NotInReceipt, RegistryRefused
from mirror.progress import Silent
from mirror.receipt import Receipt, content
from mirror.reference import Reference
from mirror.registry import Internal, internal

if TYPE_CHECKING:
    from conftest import Authority, Registry


pytestmark = pytest.mark.slow  # real registries on loopback


class Heard(Silent):
    """Remembers what was said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def load(bundle: Path, registry: str, site: Path, ca: Path | None, authfile: Path | None = None) -> Receipt:
    with internal(ca, authfile) as inside:
        return loading.load(Bundle.open(bundle), registry, inside, site, Silent())


def raw(registry: Registry, reference: str, ca: Path, tmp_path: Path) -> bytes:
    certificates = tmp_path / "certificates"
    certificates.mkdir(exist_ok=True)
    shutil.copyfile(ca, certificates / "ca.crt")
    command = ["skopeo", "inspect", "--raw", "--cert-dir", str(certificates), f"docker://{reference}"]
    return subprocess.run(command, check=True, capture_output=True).stdout


@dataclass(frozen=True)
class Loaded:
    """A bundle that was loaded once; nothing here is changed by a test."""

    bundle: Path
    registry: Registry
    site: Path
    receipt: Receipt


@pytest.fixture(scope="module")
def loaded(
    made_once: Path, site_ca: Authority, loaded_registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> Loaded:
    site = tmp_path_factory.mktemp("loaded") / "site"
    received = load(made_once, f"{loaded_registry.host}/sealift", site, site_ca.ca)
    return Loaded(made_once, loaded_registry, site, received)


def test_everything_arrives_under_its_mirrored_name_and_the_receipt_says_so(
    loaded: Loaded, site_ca: Authority, tmp_path: Path
) -> None:
    received, inside = loaded.receipt, loaded.registry
    bundle = Bundle.open(loaded.bundle)
    assert received == Receipt.read(loaded.site / "receipt.json")
    assert received.missing == []
    assert received.bundle == bundle.contents.lock_sha256
    assert {i.reference for i in received.images} == {i.reference for i in bundle.lock.images}
    for image in received.images:
        assert image.mirrored.startswith(f"{inside.host}/sealift/")
        found = raw(inside, image.mirrored, site_ca.ca, tmp_path)
        assert f"sha256:{hashlib.sha256(found).hexdigest()}" == image.digest
    tagged = raw(inside, f"{inside.host}/sealift/docker.io/org/docker:1", site_ca.ca, tmp_path)
    assert f"sha256:{hashlib.sha256(tagged).hexdigest()}" == received.images[0].digest
    model = received.model("tiny")
    assert model.mirrored == f"{inside.host}/sealift/hub.test/org/tiny@{model.digest}"
    index = json.loads(raw(inside, model.mirrored, site_ca.ca, tmp_path))
    assert [m["platform"] for m in index["manifests"]] == [{"architecture": "amd64", "os": "linux"}]


def test_charts_and_release_yaml_are_laid_beside_the_receipt_with_their_sums(loaded: Loaded, tmp_path: Path) -> None:
    received, site = loaded.receipt, Path(shutil.copytree(loaded.site, tmp_path / "site"))
    chart, yaml = received.part("demo"), received.part("yaml")
    assert [f.path for f in chart.files] == ["content/demo/demo.tgz"]
    assert (chart.kind, chart.release, chart.values) == ("chart", "demo", {"a": 1})
    assert [f.path for f in yaml.files] == ["content/yaml/01-crds.yaml", "content/yaml/02-core.yaml"]
    assert [p.read_bytes() for p in content(site / "receipt.json", yaml)] == [b"kind: A\n", b"kind: B\n"]
    (site / "content/demo/demo.tgz").write_bytes(b"other")
    with pytest.raises(Damaged, match=r"demo\.tgz"):
        content(site / "receipt.json", chart)


def test_an_image_is_found_by_the_digest_that_upstream_pins_although_its_index_was_cut(
    loaded: Loaded,
) -> None:
    received = loaded.receipt
    multi = next(i for i in Bundle.open(loaded.bundle).lock.images if i.reference == "gcr.io/org/multi")
    assert multi.digest != multi.upstream_digest
    assert received.image(f"gcr.io/org/multi@{multi.upstream_digest}").digest == multi.digest
    with pytest.raises(NotInReceipt):
        received.image("gcr.io/org/multi@sha256:" + "0" * 64)


def test_a_second_load_sends_nothing(loaded: Loaded, site_ca: Authority, tmp_path: Path) -> None:
    inside = loaded.registry
    blobs = {p: p.stat().st_mtime_ns for p in inside.directory.rglob("data") if p.is_file()}
    heard = Heard()
    with internal(site_ca.ca, None) as registry:
        again = loading.load(Bundle.open(loaded.bundle), loaded.receipt.registry, registry, tmp_path / "site", heard)
    assert again == loaded.receipt
    assert heard.lines == ["7 of 7 are there already"]
    assert {p: p.stat().st_mtime_ns for p in inside.directory.rglob("data") if p.is_file()} == blobs


def test_what_fails_to_arrive_is_missing_in_the_receipt_the_rest_arrives_and_a_rerun_completes(
    whole: Path, inside: Registry, site_ca: Authority, tmp_path: Path
) -> None:
    entry = Bundle.open(whole).entry("gcr.io/org/multi")
    blob = whole / "blobs/sha256" / entry.digest.partition(":")[2]
    kept = blob.read_bytes()
    blob.unlink()
    received = load(whole, inside.host, tmp_path / "site", site_ca.ca)
    assert [m.reference for m in received.missing] == ["gcr.io/org/multi"]
    assert len(received.images) == 2
    assert len(received.models) == 1
    refused = loading.refused(received)
    assert refused is not None
    assert refused.exit_code == 8
    with pytest.raises(NotInReceipt):
        received.image("gcr.io/org/multi")
    blob.write_bytes(kept)
    assert load(whole, inside.host, tmp_path / "site", site_ca.ca).missing == []


def test_a_registry_that_dies_during_the_load_leaves_a_receipt_that_says_what_is_missing(
    whole: Path, inside: Registry, site_ca: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = Internal.put_manifest
    monkeypatch.setattr(Patience, "wait", lambda *_: None)
    monkeypatch.setattr(sending, "ASKERS", 1)

    def die_after_one(self: Internal, *arguments: Any) -> None:  # noqa: ANN401 - put_manifest's own
        put(self, *arguments)
        inside.stop()

    monkeypatch.setattr(Internal, "put_manifest", die_after_one)
    received = load(whole, inside.host, tmp_path / "site", site_ca.ca)
    assert len(received.missing) == 7
    assert all("connection refused" in m.why for m in received.missing)
    monkeypatch.setattr(Internal, "put_manifest", put)
    inside.start()
    assert load(whole, inside.host, tmp_path / "site", site_ca.ca).missing == []


def test_a_registry_that_is_down_is_refused_before_anything_is_written(
    whole: Path, inside: Registry, site_ca: Authority, tmp_path: Path
) -> None:
    inside.stop()
    with pytest.raises(RegistryRefused, match="connection refused"):
        load(whole, inside.host, tmp_path / "site", site_ca.ca)
    assert not (tmp_path / "site").exists()


def test_a_registry_whose_authority_was_not_given_is_refused(whole: Path, inside: Registry, tmp_path: Path) -> None:
    with pytest.raises(RegistryRefused, match="certificate is not trusted") as e:
        load(whole, inside.host, tmp_path / "site", None)
    assert "--ca-file" in e.value.instead


def test_a_wrong_or_missing_password_is_refused_and_the_right_one_taken(
    whole: Path, guarded: Registry, site_ca: Authority, tmp_path: Path
) -> None:
    def authfile(password: str) -> Path:
        token = base64.b64encode(f"operator:{password}".encode()).decode()
        (tmp_path / "auth.json").write_text(json.dumps({"auths": {guarded.host: {"auth": token}}}))
        return tmp_path / "auth.json"

    for given in (None, authfile("wrong")):
        with pytest.raises(RegistryRefused) as e:
            load(whole, guarded.host, tmp_path / "site", site_ca.ca, given)
        assert "--authfile" in e.value.instead
    assert load(whole, guarded.host, tmp_path / "site", site_ca.ca, authfile("secret")).missing == []


def test_a_ca_file_or_an_address_that_cannot_be_is_bad_input(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file"):
        load(whole, "registry.site", tmp_path / "site", tmp_path / "absent.pem")
    for wrong in ("registry", "https://registry.site", "registry.site/UPPER"):
        with pytest.raises(BadInput):
            load(whole, wrong, tmp_path / "site", None)


def test_an_image_without_a_tag_is_pushed_under_one_that_keeps_it_from_garbage_collection(whole: Path) -> None:
    deliveries = loading.plan(Bundle.open(whole), "registry.site:5000/a")
    multi = next(d for d in deliveries if d.entry.reference == "gcr.io/org/multi")
    assert multi.tagged.tag == f"at-{multi.entry.digest[7:19]}"
    assert multi.target == Reference.parse(f"registry.site:5000/a/gcr.io/org/multi@{multi.entry.digest}")


def test_a_part_named_to_escape_the_site_directory_is_refused(whole: Path, tmp_path: Path) -> None:
    bundle = Bundle.open(whole)
    part = structs.replace(bundle.lock.parts[0], name="../../outside")
    with pytest.raises(Damaged, match="outside the site directory"):
        loading.write_part(bundle, part, tmp_path / "site")
