"""The registry's storage."""

from pathlib import Path

from testbed.upstream.store import CONFIG, MANIFEST, Blob, Store


def image(store: Store, content: bytes, tag: str) -> Blob:
    config = store.add(content, CONFIG)
    text = f'{{"config":{{"digest":"{config.digest}"}},"layers":[]}}'
    manifest = store.add(text.encode(), MANIFEST)
    store.publish("quay.io/org/app", tag, manifest, [config], [])
    return manifest


def test_a_published_tag_resolves_to_its_manifest(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.resolve("quay.io/org/app", "v1") is None
    manifest = image(store, b"{}", "v1")
    assert store.resolve("quay.io/org/app", "v1") == manifest.digest
    assert store.names() == ["quay.io/org/app:v1"]


def test_a_tag_whose_manifest_is_gone_does_not_resolve(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.remove(image(store, b"{}", "v1").digest)
    assert store.resolve("quay.io/org/app", "v1") is None


def test_what_no_tag_reaches_is_unused_and_nothing_else_is(tmp_path: Path) -> None:
    store = Store(tmp_path)
    old = image(store, b'{"old":1}', "v1")
    assert store.unused() == []
    image(store, b'{"new":1}', "v1")
    unused = store.unused()
    assert old.digest in unused
    assert len(unused) == 2  # the old manifest and its config


def test_an_adopted_file_moves_into_the_store(tmp_path: Path) -> None:
    store, file = Store(tmp_path / "store"), tmp_path / "file"
    file.write_bytes(b"layer")
    digest = "sha256:" + "a" * 64
    assert store.adopt(file, digest, "x").size == 5
    assert not file.exists()
    assert store.read(digest) == b"layer"


def test_a_retracted_tag_is_gone_and_what_it_named_is_unused(tmp_path: Path) -> None:
    store = Store(tmp_path)
    manifest = image(store, b"{}", "v1")
    store.retract("quay.io/org/app", "v1")
    assert store.resolve("quay.io/org/app", "v1") is None
    assert store.names() == []
    assert manifest.digest in store.unused()
