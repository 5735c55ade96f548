import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from benchmarks.mirror import content, peers
from benchmarks.mirror.content import IMAGES, TAG, Content
from benchmarks.mirror.tools.sealift import locked
from benchmarks.mirror.tools.tool import Place
from mirror.errors import BadInput, NoSpace, ToolMissing
from testbed.upstream.store import Store

SCALE = 1e-4


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("content")
    content.make(directory, SCALE, "seed")
    return directory


@pytest.fixture(scope="module")
def made(root: Path) -> Content:
    return Content.read(root / "content.json")


def place(made: Content, directory: Path) -> Place:
    return Place(directory, "127.0.0.1:5000", "127.0.0.1:5001", made, Path("/programs"))


def members(archive: bytes) -> int:
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        return len(opened.getmembers())


def test_the_same_seed_gives_the_same_content_and_another_another(made: Content, tmp_path: Path) -> None:
    assert content.make(tmp_path / "again", SCALE, "seed") == made
    other = content.make(tmp_path / "other", SCALE, "other")
    assert not {i.digest for i in other.images} & {i.digest for i in made.images}


def test_what_is_there_already_is_not_made_again(root: Path, made: Content) -> None:
    before = (root / "content.json").stat().st_mtime_ns
    assert content.make(root, SCALE, "seed") == made
    assert (root / "content.json").stat().st_mtime_ns == before


def test_every_layer_is_a_gzipped_tar_whose_content_the_configuration_names(root: Path, made: Content) -> None:
    store = Store(root)
    for image in (made.images[0], made.images[-1], made.changed):
        manifest = json.loads(store.read(image.digest))
        ids = json.loads(store.read(manifest["config"]["digest"]))["rootfs"]["diff_ids"]
        plain = [gzip.decompress(store.read(d["digest"])) for d in manifest["layers"]]
        assert [f"sha256:{hashlib.sha256(p).hexdigest()}" for p in plain] == ids
        assert all(members(p) == 1 for p in plain)


def test_images_share_their_bases_and_each_blob_is_listed_once(made: Content) -> None:
    digests = [d for _, d, _ in made.blobs]
    assert len(made.images) == IMAGES + 1
    assert len(digests) == len(set(digests)) == 6 * 2 + IMAGES * 3 + 4 + 1
    assert sum(i.size for i in made.images) > 1.5 * made.unique


def test_a_change_is_one_layer_and_what_names_it(root: Path, made: Content) -> None:
    store = Store(root)
    old, new = (json.loads(store.read(i.digest)) for i in (made.images[0], made.changed))
    assert old["layers"][:-1] == new["layers"][:-1]
    fresh = [new["layers"][-1], new["config"]]
    assert made.changed_bytes == sum(d["size"] for d in fresh) + len(store.read(made.changed.digest))


def test_a_tag_names_what_was_published_last(root: Path, made: Content) -> None:
    first = made.images[0]
    for change, wanted in ((True, made.changed), (False, first)):
        content.publish(root, made, change=change)
        assert Store(root).resolve(first.repository, TAG) == wanted.digest


def test_the_planned_size_is_the_real_one(made: Content, tmp_path: Path) -> None:
    assert content.planned(0.002) == pytest.approx(content.make(tmp_path, 0.002, "s").unique, rel=0.05)
    assert 4e9 < content.planned(1) < 6e9


def test_our_lock_names_what_is_published(made: Content) -> None:
    for change in (False, True):
        lock = locked(made, change=change)
        assert {i.digest for i in lock.images} == {i.digest for i in made.after(change=change)}


@pytest.mark.parametrize("name", peers.known())
def test_every_image_is_named_to_every_program(name: str, made: Content, tmp_path: Path) -> None:
    tool = peers.tool(name)
    (command,) = tool.create(place(made, tmp_path), change=False)
    said = " ".join(command) + "".join(p.read_text() for p in tmp_path.rglob("*") if p.is_file())
    assert all(i.repository in said for i in made.images)


def test_a_tool_that_nobody_knows_is_refused() -> None:
    with pytest.raises(BadInput, match="rsync"):
        peers.tool("rsync")


def test_a_run_that_does_not_fit_is_refused_before_it_begins(tmp_path: Path) -> None:
    with pytest.raises(NoSpace, match="the benchmark needs"):
        peers.needed(tmp_path, ["sealift"], 1e6)
    assert peers.needed(tmp_path, ["sealift"], 1e-3) == 4 * content.planned(1e-3)
    assert peers.needed(tmp_path, ["sealift", "zarf"], 1e-3) > 5 * content.planned(1e-3)


def test_what_cannot_be_built_is_skipped_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def ensure(program: str, *_: object) -> str:
        if program == "zarf":
            raise ToolMissing("zarf", "go build failed: go: downloading\nno such version", "")
        return f"/bin/{program}"

    monkeypatch.setattr(peers, "_ensure", ensure)
    monkeypatch.setattr(peers, "_version", lambda *_: "1")
    said: list[str] = []
    found = peers.built(["sealift", "zarf"], "2", said.append)
    assert found.tools == ["sealift"]
    assert found.skipped == {"zarf": "no such version"}
    assert said == ["skipped zarf: no such version"]
