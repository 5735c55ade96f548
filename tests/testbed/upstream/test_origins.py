"""Where the parts of images come from."""

import os
from pathlib import Path

import pytest

from mirror.errors import BadInput
from testbed.upstream import images, modules
from testbed.upstream.layers import Layers
from testbed.upstream.origins import Sums, Workshop
from testbed.upstream.store import Store


def workshop(directory: Path) -> Workshop:
    layers = Layers(Store(directory / "store"), directory / "records")
    return Workshop(layers, directory, directory, Sums.read(directory / "sums.json"))


def test_a_file_is_read_again_only_when_its_size_or_time_changed(tmp_path: Path) -> None:
    file = tmp_path / "program"
    file.write_bytes(b"one")
    sums = Sums.read(tmp_path / "sums.json")
    first = sums.sha256(file)
    sums.write()
    before = file.stat()
    file.write_bytes(b"two")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert Sums.read(tmp_path / "sums.json").sha256(file) == first
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert Sums.read(tmp_path / "sums.json").sha256(file) != first


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="absent"):
        Sums.read(tmp_path / "sums.json").sha256(tmp_path / "absent")


def test_every_layer_that_an_image_declares_has_a_maker(tmp_path: Path) -> None:
    shop = workshop(tmp_path)
    names = {n for i in images.Images.read(images.DECLARED).images for n in i.layers}
    assert all(shop.layer_key(n) for n in names)
    with pytest.raises(BadInput, match="nothing makes it"):
        shop.layer_key("other")


def test_a_layer_that_was_made_is_found_by_its_key(tmp_path: Path) -> None:
    shop = workshop(tmp_path)
    layer = shop.layer("static")
    assert shop.layer("static") == layer
    assert shop.layers.find(shop.layer_key("static")) == layer


@pytest.mark.parametrize(
    "module",
    ["istio.io/istio", "knative.dev/serving", "github.com/kserve/kserve", "github.com/cert-manager/cert-manager"],
)
def test_a_modules_version_is_the_one_that_its_programs_are_built_from(module: str) -> None:
    assert modules.version(module).startswith("v")
