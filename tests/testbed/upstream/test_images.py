"""Images and their declaration."""

import json
from pathlib import Path
from typing import Any

import pytest

from mirror.errors import BadInput
from mirror.reference import Reference
from testbed.upstream import images
from testbed.upstream.images import File, Image
from testbed.upstream.layers import Entry, Layer, Layers
from testbed.upstream.store import Store


class Shelf:
    """Origins with one program, ``app``, and one layer, ``base``."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.layers = Layers(Store(directory / "store"), directory / "records")
        (directory / "app").write_bytes(b"program")

    def binary(self, name: str) -> Path:
        return self.directory / name

    def program(self, name: str) -> Path:
        return self.directory / name

    def module(self, name: str) -> Path:
        return self.directory / name

    def layer(self, name: str) -> Layer:
        return self.layers.make(name, lambda: [Entry("/etc/base", data=name.encode())])

    def layer_key(self, name: str) -> str:
        return name

    def sha256(self, path: Path) -> str:
        return path.read_bytes().hex()


def declared(**changes: object) -> Image:
    given: dict[str, Any] = {
        "name": "quay.io/org/app:v1",
        "contents": "real",
        "note": "built from source",
        "licence": "Apache-2.0",
        "layers": ["base"],
        "files": [File(to="/app", binary="app")],
        "user": "65532",
        "entrypoint": ["/app"],
    }
    return Image.model_validate(given | changes)


def read(store: Store, digest: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(store.read(digest))
    return document


def test_an_image_is_an_index_whose_one_image_says_what_is_inside(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    digest = images.build(declared(), shelf, shelf.layers)
    store = shelf.layers.store
    assert store.resolve("quay.io/org/app", "v1") == digest
    (entry,) = read(store, digest)["manifests"]
    assert entry["platform"] == {"architecture": "amd64", "os": "linux"}
    manifest = read(store, entry["digest"])
    assert len(manifest["layers"]) == 2
    config = read(store, manifest["config"]["digest"])
    assert config["config"]["User"] == "65532"
    assert config["config"]["Entrypoint"] == ["/app"]
    assert config["config"]["Labels"]["dev.sealift.testbed"] == "real"
    assert len(config["rootfs"]["diff_ids"]) == 2


def test_building_twice_gives_the_same_digest_and_another_program_another(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    first = images.build(declared(), shelf, shelf.layers)
    assert images.build(declared(), shelf, shelf.layers) == first
    (tmp_path / "app").write_bytes(b"newer")
    assert images.build(declared(), shelf, shelf.layers) != first


def test_other_platforms_are_listed_beside(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    digest = images.build(declared(other_platforms=["linux/arm64"]), shelf, shelf.layers)
    listed = [m["platform"]["architecture"] for m in read(shelf.layers.store, digest)["manifests"]]
    assert listed == ["amd64", "arm64"]


@pytest.mark.parametrize("change", [{"user": "1"}, {"layers": []}, {"env": {"A": "b"}}])
def test_the_key_follows_the_declaration(tmp_path: Path, change: dict[str, Any]) -> None:
    shelf = Shelf(tmp_path)
    assert images.key(declared(), shelf) != images.key(declared(**change), shelf)


def test_the_key_follows_the_program(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    before = images.key(declared(), shelf)
    (tmp_path / "app").write_bytes(b"newer")
    assert images.key(declared(), shelf) != before


def test_a_program_that_was_not_built_is_named(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    with pytest.raises(BadInput, match="missing-program"):
        images.build(declared(files=[File(to="/x", binary="missing-program")]), shelf, shelf.layers)


def test_a_file_with_two_origins_is_refused() -> None:
    with pytest.raises(ValueError, match="give one of"):
        File(to="/x", binary="a", text="b")


def test_the_declaration_is_well_formed_and_names_every_image_once() -> None:
    found = images.Images.read(images.DECLARED).images
    names = [i.name for i in found]
    assert len(set(names)) == len(names)
    assert all(Reference.parse(n).tag for n in names)
    assert all(i.entrypoint or i.cmd for i in found)


def test_a_stand_in_says_so_in_its_label_and_its_note() -> None:
    found = {i.name: i for i in images.Images.read(images.DECLARED).images}
    assert found["registry.k8s.io/pause:3.10"].contents == "stand-in"
    assert "vanilla Envoy" in found["docker.io/istio/proxyv2:1.31.0"].note
