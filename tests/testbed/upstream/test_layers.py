"""Layers."""

import gzip
import hashlib
import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from testbed.upstream.layers import Compression, Entry, Layer, Layers, tree
from testbed.upstream.store import Store


def unpacked(layers: Layers, layer: Layer) -> tarfile.TarFile:
    data = layers.store.read(layer.digest)
    if layer.media_type.endswith("zstd"):
        raw = subprocess.run(["zstd", "-dc"], input=data, capture_output=True, check=True).stdout
    else:
        raw = gzip.decompress(data)
    assert layer.diff_id == f"sha256:{hashlib.sha256(raw).hexdigest()}"
    return tarfile.open(fileobj=io.BytesIO(raw))


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_the_same_entries_make_the_same_digest_whatever_the_times_and_owners_of_their_sources(
    tmp_path: Path, compression: Compression
) -> None:
    digests = []
    for turn in ("first", "second"):
        source = tmp_path / turn
        source.write_bytes(b"program" * 1000)
        layers = Layers(Store(tmp_path / f"store-{turn}"), tmp_path / f"records-{turn}")

        def entries(source: Path = source) -> list[Entry]:
            return [Entry("/usr/bin/app", source=source)]

        digests.append(layers.make("key", entries, compression).digest)
    assert digests[0] == digests[1]


def test_a_layer_holds_files_links_and_their_parent_directories_once(tmp_path: Path) -> None:
    layers = Layers(Store(tmp_path / "store"), tmp_path / "records")
    entries = [Entry("/a/b", data=b"one"), Entry("/a/c", 0o777, link="b"), Entry("/a", 0o755), Entry("/tmp", 0o1777)]
    with unpacked(layers, layers.make("key", lambda: entries)) as tar:
        members = {m.name: m for m in tar.getmembers()}
        assert list(members) == ["a", "a/b", "a/c", "tmp"]
        assert members["a"].isdir()
        assert members["a/c"].linkname == "b"
        assert members["tmp"].mode == 0o1777
        assert {m.uid for m in members.values()} == {0}
        assert {m.mtime for m in members.values()} == {0}


def test_a_known_key_asks_for_no_entries(tmp_path: Path) -> None:
    layers = Layers(Store(tmp_path / "store"), tmp_path / "records")
    first = layers.make("key", lambda: [Entry("/x", data=b"x")])

    def never() -> list[Entry]:
        raise AssertionError("asked again")

    assert layers.make("key", never) == first


def test_a_layer_whose_blob_is_gone_is_made_again(tmp_path: Path) -> None:
    layers = Layers(Store(tmp_path / "store"), tmp_path / "records")
    first = layers.make("key", lambda: [Entry("/x", data=b"x")])
    layers.store.remove(first.digest)
    assert layers.find("key") is None
    assert layers.make("key", lambda: [Entry("/x", data=b"x")]) == first


def test_a_tree_keeps_links_and_the_executable_bit_and_leaves_out_what_it_is_told(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "bin").mkdir(parents=True)
    (root / "bin" / "run").write_text("#!/bin/sh\n")
    (root / "bin" / "run").chmod(0o700)
    (root / "bin" / "text").write_text("x")
    (root / "bin" / "link").symlink_to("run")
    (root / "secret").write_text("x")
    found = {e.path: e for e in tree(root, "/opt", lambda n: n == "secret")}
    assert list(found) == ["/opt/bin", "/opt/bin/link", "/opt/bin/run", "/opt/bin/text"]
    assert found["/opt/bin/run"].mode == 0o755
    assert found["/opt/bin/text"].mode == 0o644
    assert found["/opt/bin/link"].link == "run"
