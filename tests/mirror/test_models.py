"""Which files of a model are carried, and the image that they become."""

from __future__ import annotations

import hashlib
import json
import tarfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec import structs

from mirror import models
from mirror.catalog import DirectorySource, HubSource, Model
from mirror.errors import BadInput, Damaged, NotUpstream, RegistryRefused
from mirror.growing import FileMedium, Growing
from mirror.layout import OCI_LAYER, Descriptor
from mirror.lock import LockedFile, LockedModel
from mirror.model_files import carried, sha256
from mirror.model_image import LayerTarget, check_layer, compose, layer_size
from mirror.registry import Upstream
from mirror.source_map import SourceMap

if TYPE_CHECKING:
    from conftest import Hub

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def model(revision: str = "main", allow: list[str] | None = None, repo: str = "Org/Tiny") -> Model:
    source = HubSource(host="hub.test", repo=repo, revision=revision)
    return Model(name="tiny", source=source, licence="MIT", reason="For the tests of it.", allow_files=allow or [])


def lock_model(given: Model, source_map: SourceMap) -> LockedModel:
    return models.lock_model(given, source_map, Upstream(source_map), [])


def mapped(hub: Hub) -> SourceMap:
    return SourceMap(hosts={"hub.test": hub.url})


def test_a_branch_is_locked_to_its_commit_and_each_file_to_its_sum(hub: Hub) -> None:
    hub.lfs = {"model.safetensors"}
    locked = lock_model(model(), mapped(hub))
    assert locked == structs.replace(hub.locked("tiny", "Org/Tiny"), licence="MIT")
    assert locked.revision == COMMIT
    assert locked.reference == f"hub.test/org/tiny:{COMMIT}"


def test_weights_in_git_lfs_are_locked_without_fetching_them(hub: Hub) -> None:
    hub.lfs = {"model.safetensors"}
    lock_model(model(COMMIT), mapped(hub))
    assert hub.requests[0] == f"GET /api/models/Org/Tiny/revision/{COMMIT}?blobs=true"
    assert not any("model.safetensors" in r for r in hub.requests)


def test_a_repository_or_a_revision_that_the_hub_lacks_is_told(hub: Hub) -> None:
    with pytest.raises(NotUpstream):
        lock_model(model(repo="Org/Absent"), mapped(hub))
    with pytest.raises(NotUpstream):
        lock_model(model("no-such-branch"), mapped(hub))


def test_a_hub_that_does_not_answer_is_told() -> None:
    with pytest.raises(RegistryRefused):
        lock_model(model(), SourceMap(hosts={"hub.test": "http://127.0.0.1:9"}))


def test_pickles_readmes_of_git_and_code_stay_behind() -> None:
    names = ["a.safetensors", "pytorch_model.bin", "x/y.pt", ".gitattributes", "modeling.py", "LICENSE", "NOTICE.bin"]
    assert carried(names, [], "x") == ["LICENSE", "a.safetensors"]
    assert carried(names, ["x/y.pt"], "x") == ["LICENSE", "a.safetensors", "x/y.pt"]


def test_a_model_that_has_only_pickles_is_refused_unless_they_are_allowed_by_name() -> None:
    with pytest.raises(BadInput, match=r"pytorch_model\.bin can run code"):
        carried(["config.json", "pytorch_model.bin"], [], "x")
    assert carried(["config.json", "pytorch_model.bin"], ["pytorch_model.bin"], "x")[1] == "pytorch_model.bin"


def test_an_allowed_file_that_is_not_there_is_bad_input() -> None:
    with pytest.raises(BadInput, match="names absent"):
        carried(["a.safetensors"], ["absent"], "x")


def test_a_directory_is_locked_by_the_sum_of_its_file_list(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"weights")
    given = Model(name="own", source=DirectorySource(path=tmp_path), licence="MIT", reason="Our own weights.")
    first = lock_model(given, SourceMap.none())
    assert first.origin == "directory/own"
    assert first.files == [LockedFile(name="a.safetensors", sha256=hashlib.sha256(b"weights").hexdigest(), size=7)]
    (tmp_path / "a.safetensors").write_bytes(b"changed")
    assert lock_model(given, SourceMap.none()).revision != first.revision


def pieces(path: Path) -> Iterator[memoryview]:
    with path.open("rb") as f:
        while piece := f.read(1 << 20):
            yield memoryview(piece)


def write_layer(tmp_path: Path, file: LockedFile) -> tuple[Descriptor, Path]:
    """The layer of ``file``, whose content lies in ``content``."""
    medium = FileMedium(tmp_path / "layer")
    target = LayerTarget(file, Growing(medium, layer_size(file), 0, lambda _: None))
    for piece in pieces(tmp_path / "content"):
        target.write(piece)
    made = target.finish()
    medium.close()
    return made, tmp_path / "layer"


def checked(path: Path, file: LockedFile) -> str:
    return check_layer(pieces(path), file, "the layer")


def layer(tmp_path: Path, name: str, content: bytes) -> tuple[LockedFile, Descriptor, Path]:
    (tmp_path / "content").write_bytes(content)
    file = LockedFile(name=name, sha256=hashlib.sha256(content).hexdigest(), size=len(content))
    return file, *write_layer(tmp_path, file)


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, (1 << 20) + 1])
def test_a_layer_is_a_tar_file_of_root_that_says_nothing_of_where_it_was_made(tmp_path: Path, size: int) -> None:
    file, made, path = layer(tmp_path, "deep/er/model.safetensors", b"x" * size)
    assert made.size == path.stat().st_size == layer_size(file)
    assert made.media_type == OCI_LAYER
    with tarfile.open(path, "r:") as tar:
        entries = tar.getmembers()
        assert [e.name for e in entries] == ["models", "models/deep", "models/deep/er", f"models/{file.name}"]
        assert {e.mode for e in entries if e.isdir()} == {0o755}
        last = entries[-1]
        assert (last.mode, last.uid, last.gid, last.mtime, last.uname) == (0o644, 0, 0, 0, "root")
        extracted = tar.extractfile(last)
        assert extracted is not None
        assert extracted.read() == b"x" * size


def test_a_layer_is_made_and_checked_without_holding_the_file_in_memory(tmp_path: Path) -> None:
    size = 64 << 20
    with (tmp_path / "content").open("wb") as f:
        f.truncate(size)
    file = LockedFile(name="a.safetensors", sha256=sha256(tmp_path / "content"), size=size)
    tracemalloc.start()
    made, path = write_layer(tmp_path, file)
    assert checked(path, file) == made.digest
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 << 20


def test_a_long_name_and_a_large_size_survive(tmp_path: Path) -> None:
    name = "/".join(["directory" * 12] * 2) + "/model.safetensors"
    _, _, path = layer(tmp_path, name, b"x")
    with tarfile.open(path, "r:") as tar:
        assert tar.getnames()[-1] == f"models/{name}"
    assert layer_size(LockedFile(name="a", sha256="0" * 64, size=10 << 30)) > 10 << 30


def test_a_layer_that_holds_another_file_is_damaged_whatever_is_changed(tmp_path: Path) -> None:
    file, made, path = layer(tmp_path, "a.json", b"x" * 1000)
    assert checked(path, file) == made.digest
    content = path.read_bytes()
    for at in (0, 100, 700, 1600, len(content) - 1):  # names, mode, content, padding, end
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        with pytest.raises(Damaged):
            checked(path, file)
    path.write_bytes(content + b"\0")
    with pytest.raises(Damaged):
        checked(path, file)


def test_every_platforms_image_has_the_same_layers_in_the_files_order(tmp_path: Path) -> None:
    file, made, _ = layer(tmp_path, "a.json", b"{}")
    locked = LockedModel(name="t", origin="hub.test/o/t", revision=COMMIT, licence="MIT", files=[file])
    image = compose(locked, ["linux/amd64", "linux/arm64/v8"], [made])
    index = json.loads(image.index)
    assert [m["platform"] for m in index["manifests"]] == [
        {"architecture": "amd64", "os": "linux"},
        {"architecture": "arm64", "os": "linux", "variant": "v8"},
    ]
    configs = [json.loads(c) for t, c in image.documents if "config" in t]
    assert [c["architecture"] for c in configs] == ["amd64", "arm64"]
    assert all(c["rootfs"]["diff_ids"] == [made.digest] for c in configs)
    assert image == compose(locked, ["linux/amd64", "linux/arm64/v8"], [made])
