"""Which images skopeo is asked for, with which arguments, and what is refused before it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from mirror import skopeo
from mirror.errors import Damaged, NotUpstream, ToolMissing
from mirror.growing import InMemory
from mirror.layout import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, Descriptor, Layout, encode, links
from mirror.reference import Reference
from mirror.registry import Upstream
from mirror.skopeo_source import SkopeoSource, sources
from mirror.source_map import SourceMap

APP = Reference.parse("corp.example/app:1")


class Engine:
    """Puts the same small image wherever skopeo would have put one."""

    def __init__(self) -> None:
        self.runs: list[Sequence[str]] = []

    def __call__(self, arguments: Sequence[str], paths: Sequence[Path]) -> skopeo.Finished:
        self.runs.append(arguments)
        blobs = Path(arguments[arguments.index("--dest-shared-blob-dir") + 1])
        layout = Layout(blobs.parent)
        config, layer = layout.add(b"{}", OCI_CONFIG), layout.add(b"layer", f"{OCI_LAYER}+gzip")
        document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config.json(), "layers": [layer.json()]}
        top = layout.add(encode(document), OCI_MANIFEST)
        Layout(Path(arguments[-1].removeprefix("oci:"))).write_index([top])
        return skopeo.Finished(0, b"", "")


def source(engine: skopeo.Engine, place: str, path: Path) -> SkopeoSource:
    (path / "app.tar").touch()
    (path / "map.yaml").write_text(f"{APP}: {place}\n")
    return SkopeoSource(SourceMap.read(path / "map.yaml"), Upstream(), lambda: engine)


def test_a_map_without_images_needs_no_skopeo() -> None:
    assert isinstance(sources(SourceMap.none()), Upstream)


def test_what_was_saved_is_copied_once_and_its_layers_are_not_compressed(tmp_path: Path) -> None:
    engine = Engine()
    made = source(engine, "docker-archive:app.tar", tmp_path)
    manifest = made.raw_manifest(APP)
    target = InMemory()
    made.fetch(APP, links(manifest, "")[1], target)
    assert bytes(target.content) == b"layer"
    assert len(engine.runs) == 1
    assert "--dest-oci-accept-uncompressed-layers" in engine.runs[0]
    assert "--preserve-digests" not in engine.runs[0]
    assert links(manifest, "")[1].media_type == OCI_LAYER, "whatever skopeo called it"
    assert engine.runs[0][-2] == f"docker-archive:{tmp_path / 'app.tar'}"


def test_an_oci_layout_is_copied_as_it_is(tmp_path: Path) -> None:
    engine = Engine()
    source(engine, "oci-archive:app.tar", tmp_path).raw_manifest(APP)
    assert {"--all", "--preserve-digests"} <= set(engine.runs[0])


def test_a_fetch_goes_on_and_replaces_what_is_wrong(tmp_path: Path) -> None:
    made = source(Engine(), "docker-archive:app.tar", tmp_path)
    layer = links(made.raw_manifest(APP), "")[1]
    for begun in (b"la", b"no"):
        target = InMemory()
        target.write(memoryview(begun))
        made.fetch(APP, layer, target)
        assert bytes(target.content) == b"layer"


def test_another_digest_and_a_cosign_tag_are_not_looked_for_elsewhere(tmp_path: Path) -> None:
    made = source(Engine(), "docker-archive:app.tar", tmp_path)
    top = Descriptor.of("", made.raw_manifest(APP)).digest
    assert made.referrers(APP.with_digest(top)) is None
    with pytest.raises(Damaged, match=f"it is {top} now"):
        made.raw_manifest(APP.with_digest("sha256:" + "0" * 64))
    with pytest.raises(NotUpstream, match="it is in no registry"):
        made.raw_manifest(Reference(APP.registry, APP.repository, f"{top.replace(':', '-')}.sig"))


def test_a_container_is_not_asked_for_what_another_program_keeps(tmp_path: Path) -> None:
    with pytest.raises(ToolMissing, match="a container cannot look into docker-daemon"):
        source(skopeo.container, "docker-daemon:app:1", tmp_path).raw_manifest(APP)
