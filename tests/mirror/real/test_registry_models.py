"""Models that come from registries, on their whole way: locked, carried, verified, loaded."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mirror import load as loading
from mirror import resolve
from mirror.bundle import Bundle
from mirror.bundle_create import Order, create
from mirror.bundle_verify import verify
from mirror.catalog import Catalog
from mirror.layout import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, Descriptor, encode
from mirror.lock import Lock
from mirror.progress import Silent
from mirror.receipt import Receipt
from mirror.registry import Upstream, internal
from mirror.source_map import SourceMap

if TYPE_CHECKING:
    from conftest import Authority, Publisher, Registry

WEIGHTS = bytes(range(256)) * 3_000
NAME = "quay.io/models"


def modelpack(publisher: Publisher, name: str) -> None:
    layout = publisher.layout
    layers = []
    for path, content, kind in (
        ("shard-1.safetensors", WEIGHTS, "weight"),
        ("shard-2.safetensors", WEIGHTS[::-1], "weight"),
        ("LICENSE", b"terms", "doc"),
    ):
        d = layout.add(content, f"application/vnd.cncf.model.{kind}.v1.raw")
        layers.append(Descriptor(d.media_type, d.digest, d.size, {"org.cncf.model.filepath": path}).json())
    # A plain image configuration: skopeo, which pushes this here, takes no other. What counts are the layers.
    config = layout.add(
        encode({"architecture": "", "os": "", "rootfs": {"type": "layers", "diff_ids": []}}), OCI_CONFIG
    )
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config.json(), "layers": layers}
    publisher.push(name, layout.add(encode(document), OCI_MANIFEST))


def modelcar(publisher: Publisher, name: str) -> None:
    layout, buffer = publisher.layout, io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, content in (("models/model.safetensors", WEIGHTS), ("models/LICENSE", b"terms"), ("etc/x", b"x")):
            member = tarfile.TarInfo(path)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    layer = layout.add(buffer.getvalue(), OCI_LAYER)
    config = layout.add(
        encode(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {},
                "rootfs": {"type": "layers", "diff_ids": [layer.digest]},
            }
        ),
        OCI_CONFIG,
    )
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config.json(), "layers": [layer.json()]}
    publisher.push(name, publisher.index({"linux/amd64": layout.add(encode(document), OCI_MANIFEST)}))


@pytest.fixture(scope="module")
def source_map(publisher: Publisher) -> SourceMap:
    return SourceMap(hosts={"quay.io": f"http://{publisher.registry.host}/quay.io"})


@pytest.fixture(scope="module")
def bundle(publisher: Publisher, source_map: SourceMap, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    directory = tmp_path_factory.mktemp("models")
    modelpack(publisher, f"{NAME}/pack:1")
    modelcar(publisher, f"{NAME}/car:1")
    model = {"licence": "MIT", "reason": "For the tests of it."}
    data = {
        "platforms": ["linux/amd64"],
        "kubernetes": "1.34",
        "licences": ["MIT"],
        "models": [
            {"name": "pack", "source": {"kind": "oci", "reference": f"{NAME}/pack:1"}, **model},
            {"name": "car", "source": {"kind": "modelcar", "reference": f"{NAME}/car:1"}, **model},
        ],
    }
    resolve.lock(Catalog.model_validate(data), Upstream(source_map), source_map).write(directory / "sealift.lock")
    order = Order(directory / "sealift.lock", directory / "bundle", Upstream(source_map), source_map)
    return create(order, Silent())


def test_every_file_is_in_the_lock_with_its_sum(bundle: Bundle) -> None:
    lock: Lock = bundle.lock
    car, pack = lock.models
    weights = hashlib.sha256(WEIGHTS).hexdigest()
    assert [(f.name, f.sha256) for f in car.files][1] == ("model.safetensors", weights)
    assert [f.name for f in pack.files] == ["LICENSE", "shard-1.safetensors", "shard-2.safetensors"]
    assert pack.files[1].sha256 == weights
    assert car.image == f"{NAME}/car:1"


def test_the_bundle_holds_the_artifact_as_an_image_and_the_modelcar_as_it_is(bundle: Bundle) -> None:
    kinds = {e.reference.partition(":")[0]: e.kind for e in bundle.contents.entries}
    assert kinds == {f"{NAME}/car": "image", f"{NAME}/pack": "model"}
    assert verify(bundle.layout.path, Silent()).lock == bundle.lock


def test_both_arrive_and_stand_in_the_receipt(
    bundle: Bundle, inside: Registry, site_ca: Authority, tmp_path: Path
) -> None:
    with internal(site_ca.ca, None) as registry:
        received: Receipt = loading.load(bundle, inside.host, registry, tmp_path / "site", Silent())
    assert received.missing == []
    assert received.model("car").mirrored == received.images[0].mirrored
    assert received.model("pack").mirrored.startswith(f"{inside.host}/{NAME}/pack@sha256:")
    assert received.model("car").size == sum(f.size for f in bundle.lock.models[0].files)
