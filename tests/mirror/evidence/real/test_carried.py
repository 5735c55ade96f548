"""Upstream's signatures on their whole way: judged at the lock, carried, judged again in the bundle and inside."""

from __future__ import annotations

import base64
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import structs

from mirror import load as loading
from mirror import resolve
from mirror.bundle import Bundle
from mirror.bundle_create import Order, create
from mirror.bundle_verify import verify
from mirror.catalog import Catalog
from mirror.errors import Untrusted
from mirror.evidence.policy import SignatureRule
from mirror.evidence.statement import SIGNATURE, SIMPLE
from mirror.layout import OCI_CONFIG, OCI_MANIFEST, Descriptor, Layout, encode
from mirror.lock import Lock
from mirror.progress import Silent
from mirror.receipt import Receipt
from mirror.registry import Upstream, internal
from mirror.source_map import SourceMap

from ..conftest import KEYLESS, Signer, Sigstore, payload

if TYPE_CHECKING:
    from conftest import Authority, Publisher, Registry

NAME = "quay.io/signed"


@dataclass
class Scene:
    """Two images upstream, one signed by a key and cut, one keyless and whole; and who signed."""

    publisher: Publisher
    signer: Signer
    sigstore: Sigstore
    directory: Path

    @property
    def source_map(self) -> SourceMap:
        return SourceMap(hosts={"quay.io": f"http://{self.publisher.registry.host}/quay.io"})

    def rules(self) -> list[SignatureRule]:
        return [self.signer.rule(f"{NAME}/by-key"), SignatureRule(images="**", keyless=[KEYLESS])]

    def push(self, repository: str, subject: str, layers: list[tuple[str, dict[str, str], bytes]]) -> None:
        """Evidence in cosign's tag, as an image that a registry takes."""
        layout = self.publisher.layout
        described = []
        for type_, said, content in layers:
            d = layout.add(content, type_)
            described.append(Descriptor(type_, d.digest, d.size, said).json())
        config = layout.add(
            encode({"architecture": "", "os": "", "config": {}, "rootfs": {"type": "layers", "diff_ids": []}}),
            OCI_CONFIG,
        )
        document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config.json(), "layers": described}
        made = layout.add(encode(document), OCI_MANIFEST)
        self.publisher.push(f"{NAME}/{repository}:{subject.replace(':', '-')}.sig", made)

    def publish(self) -> None:
        p = self.publisher
        cut = p.index(
            {"linux/amd64": p.manifest("amd64", [p.layer("k")]), "linux/arm64": p.manifest("arm64", [p.layer("l")])}
        )
        whole = p.index({"linux/amd64": p.manifest("amd64", [p.layer("m")])})
        p.push(f"{NAME}/by-key:1", cut)
        p.push(f"{NAME}/keyless:1", whole)
        content = payload(cut.digest)
        said = {SIGNATURE: base64.b64encode(self.signer.sign(content)).decode()}
        self.push("by-key", cut.digest, [(SIMPLE, said, content)])
        self.push("keyless", whole.digest, [self._keyless(whole.digest)])

    def _keyless(self, subject: str) -> tuple[str, dict[str, str], bytes]:
        from ..conftest import Case, Memory

        registry = Memory()
        self.sigstore.simple(Case(registry, b"", b""), subject)
        (manifest,) = [json.loads(registry.blobs[d]) for d in registry.tags.values()]
        layer = manifest["layers"][0]
        return layer["mediaType"], layer["annotations"], registry.blobs[layer["digest"]]

    def lock(self, **changes: Any) -> Path:  # noqa: ANN401
        part = {
            "name": "images",
            "source": {"kind": "images", "images": [f"{NAME}/by-key:1", f"{NAME}/keyless:1"]},
            "licence": "MIT",
            "reason": "images for tests",
        }
        data = {"platforms": ["linux/amd64"], "kubernetes": "1.34", "licences": ["MIT"], "parts": [part]}
        catalog = Catalog.model_validate(
            {**data, "signatures": self.rules(), "trusted_root": self.sigstore.trusted_root, **changes}
        )
        path = self.directory / "sealift.lock"
        resolve.lock(catalog, Upstream(self.source_map), self.source_map).write(path)
        return path

    def bundle(self, lock: Path) -> Bundle:
        order = Order(lock, self.directory / "bundle", Upstream(self.source_map), self.source_map)
        return create(order, Silent())


@pytest.fixture(scope="module")
def scene(publisher: Publisher, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    made = Scene(publisher, Signer(), Sigstore(), tmp_path_factory.mktemp("scene"))
    made.publish()
    return made


@pytest.fixture(scope="module")
def bundle(scene: Scene) -> Bundle:
    return scene.bundle(scene.lock())


def test_the_lock_says_who_signed_and_names_what_shows_it(bundle: Bundle) -> None:
    by_key, keyless = bundle.lock.images
    assert [e.kind for e in by_key.evidence] == ["index", "signature"]
    assert [e.kind for e in keyless.evidence] == ["signature"]
    assert str(by_key.signature).startswith("signed: key ")
    assert keyless.signature == f"signed: {KEYLESS}"


def test_the_bundle_carries_it_and_is_judged_again_without_a_network(bundle: Bundle) -> None:
    assert [e.kind for e in bundle.contents.entries].count("evidence") == 3
    assert verify(bundle.layout.path, Silent()).lock == bundle.lock


def test_the_bill_of_materials_links_it(bundle: Bundle) -> None:
    text = (bundle.layout.path / "sbom.cdx.json").read_text()
    assert text.count('"type": "digital-signature"') == 2


def load(bundle: Bundle, registry: str, ca: Path, site: Path) -> Receipt:
    with internal(ca, None) as inside:
        return loading.load(bundle, registry, inside, site, Silent())


def test_what_arrived_is_judged_once_more_from_the_registry_inside(
    bundle: Bundle, inside: Registry, site_ca: Authority, tmp_path: Path
) -> None:
    received = load(bundle, inside.host, site_ca.ca, tmp_path / "site")
    assert received.missing == []
    assert [str(i.signature).partition(":")[0] for i in received.images] == ["signed", "signed"]
    (signature,) = bundle.lock.images[1].evidence
    (tmp_path / "certs").mkdir()
    (tmp_path / "certs" / "ca.crt").write_bytes(site_ca.ca.read_bytes())
    there = f"docker://{inside.host}/{signature.reference}"
    subprocess.run(
        ["skopeo", "inspect", "--raw", "--cert-dir", str(tmp_path / "certs"), there], check=True, stdout=subprocess.PIPE
    )


def test_an_image_whose_signature_is_gone_inside_is_missing(
    bundle: Bundle, inside: Registry, site_ca: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = loading.plan
    monkeypatch.setattr(loading, "plan", lambda b, r: [d for d in real(b, r) if not d.entry.reference.endswith(".sig")])
    received = load(bundle, inside.host, site_ca.ca, tmp_path / "site")
    assert [m.reference for m in received.missing] == [i.reference for i in bundle.lock.images]
    assert all("it is not there" in m.why for m in received.missing)
    assert received.images == []


def test_an_image_that_is_signed_by_others_stops_the_lock_by_name(scene: Scene, tmp_path: Path) -> None:
    other = Scene(scene.publisher, Signer(), scene.sigstore, tmp_path)
    with pytest.raises(Untrusted, match=f"{NAME}/by-key:1: .*signed by none of the keys") as e:
        other.lock()
    assert "keyless" not in e.value.why


def test_without_rules_signatures_are_carried_and_not_judged(scene: Scene, tmp_path: Path) -> None:
    free = Scene(scene.publisher, scene.signer, scene.sigstore, tmp_path)
    lock = Lock.read(free.lock(signatures=[], trusted_root=None))
    assert [len(i.evidence) for i in lock.images] == [2, 1]
    assert [i.signature for i in lock.images] == [None, None]


def test_a_bundle_whose_rules_were_changed_does_not_pass(scene: Scene, bundle: Bundle, tmp_path: Path) -> None:
    """The courier who swaps the key in the lock and its sum meets the signatures; and TUF's, which are tested apart."""
    import shutil

    forged = Path(shutil.copytree(bundle.layout.path, tmp_path / "forged"))
    lock = structs.replace(bundle.lock, signature_rules=[Signer().rule("**")])
    lock.write(forged / "sealift.lock")
    from mirror import sbom
    from mirror.bundle import lock_sha256

    digest = lock_sha256(forged / "sealift.lock")
    structs.replace(bundle.contents, lock_sha256=digest).write(forged / "bundle.json")
    (forged / "sbom.cdx.json").write_text(sbom.text(lock, digest))
    with pytest.raises(Untrusted, match="not signed as the catalog wants"):
        verify(forged, Silent())


def test_layouts_hold_upstreams_index_as_a_file(bundle: Bundle) -> None:
    (index,) = [e for e in bundle.lock.images[0].evidence if e.kind == "index"]
    manifest = json.loads(Layout(bundle.layout.path).read(index.digest))
    assert manifest["layers"][0]["digest"] == bundle.lock.images[0].upstream_digest
