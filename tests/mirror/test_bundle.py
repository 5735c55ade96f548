"""Making and verifying bundles, against a real registry and a hub on loopback."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec import structs

from mirror import bundle_create
from mirror.bundle import Bundle
from mirror.bundle_create import Order, create
from mirror.bundle_verify import verify
from mirror.catalog import DirectorySource, Model
from mirror.errors import BadInput, Damaged, NoSpace, NotUpstream, RegistryRefused
from mirror.layout import REF_NAME
from mirror.lock import Lock
from mirror.models import lock_model
from mirror.progress import Silent
from mirror.registry import Upstream
from mirror.source_map import SourceMap

if TYPE_CHECKING:
    from conftest import World


pytestmark = pytest.mark.slow  # real registries on loopback


def files(directory: Path) -> dict[str, bytes]:
    return {str(p.relative_to(directory)): p.read_bytes() for p in sorted(directory.rglob("*")) if p.is_file()}


def test_a_bundle_holds_everything_of_the_lock_by_its_locked_digest_and_verifies(world: World, tmp_path: Path) -> None:
    bundle = world.create(tmp_path / "bundle")
    carried = {e.reference: e for e in verify(tmp_path / "bundle", Silent()).contents.entries}
    assert {i.reference: i.digest for i in world.lock.images}.items() <= {
        r: e.digest for r, e in carried.items()
    }.items()
    assert {e.kind for e in carried.values()} == {"image", "chart", "manifest", "model"}
    assert len(carried) == 3 + 1 + 2 + 1
    assert {i.reference: i.size for i in world.lock.images} == {
        r: e.size for r, e in carried.items() if e.kind == "image"
    }
    assert [d.annotations[REF_NAME] for d in bundle.layout.index()] == sorted(carried)
    assert not (tmp_path / "bundle.partial").exists()


def test_two_bundles_of_one_lock_are_equal_byte_for_byte(world: World, tmp_path: Path) -> None:
    world.create(tmp_path / "one")
    world.create(tmp_path / "two")
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_a_cut_index_leaves_the_other_platforms_behind(world: World, tmp_path: Path) -> None:
    bundle = world.create(tmp_path / "bundle")
    multi = next(i for i in world.lock.images if i.reference == "gcr.io/org/multi")
    assert multi.digest != multi.upstream_digest
    assert not bundle.layout.blob(multi.upstream_digest).exists()
    assert len(json.loads(bundle.layout.read(multi.digest))["manifests"]) == 1


def test_many_images_that_share_layers_are_copied_at_the_same_time_without_loss(world: World, tmp_path: Path) -> None:
    shared = [world.publisher.layer(f"base-{n}", 200_000) for n in range(3)]
    images = [
        world.publisher.image(
            f"docker.io/org/many-{n}:1",
            world.publisher.manifest("amd64", [shared[n % 3], shared[(n + 1) % 3], world.publisher.layer(f"own-{n}")]),
            ["linux/amd64"],
        )
        for n in range(10)
    ]
    lock = world.locked(tmp_path / "many.lock", images=images, parts=[], models=[])
    world.create(tmp_path / "bundle", lock)
    assert len(verify(tmp_path / "bundle", Silent()).contents.entries) == 10
    assert len(list((tmp_path / "bundle/blobs/sha256").iterdir())) == 3 + 10 * 3


def test_a_run_that_was_killed_is_continued_and_makes_the_same_bundle(world: World, tmp_path: Path) -> None:
    world.create(tmp_path / "whole")
    (tmp_path / "map.yaml").write_text("".join(f"{h}: {e}\n" for h, e in world.source_map.hosts.items()))
    arguments = ["bundle", "create", "--lock", str(world.lock_file), "--source-map", str(tmp_path / "map.yaml")]
    code = "import sys; from mirror import cli; sys.exit(cli.run(cli.app))"
    command = [sys.executable, "-c", code, *arguments, "--output", str(tmp_path / "bundle")]
    partial = tmp_path / "bundle.partial"
    process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    end = time.monotonic() + 20
    while not list(partial.glob("blobs/sha256/*")) and time.monotonic() < end:
        time.sleep(0.001)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert partial.is_dir(), "it was killed before or after its work"
    assert not (tmp_path / "bundle").exists()
    world.create(tmp_path / "bundle")
    assert files(tmp_path / "bundle") == files(tmp_path / "whole")


def test_a_continued_run_fetches_nothing_twice(world: World, tmp_path: Path) -> None:
    whole = world.create(tmp_path / "bundle")
    shutil.copytree(tmp_path / "bundle/blobs", tmp_path / "again.partial/blobs")
    world.hub.requests.clear()
    world.create(tmp_path / "again", world.locked(tmp_path / "no-model.lock", models=[]))
    assert world.hub.requests == []
    assert whole.contents.lock_sha256 in (tmp_path / "bundle/bundle.json").read_text()


def test_weights_that_were_packed_before_an_interruption_are_not_fetched_again(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle_create, "WORKERS", 1)
    tokenizer = world.hub.repos["Org/Tiny"].pop("tokenizer/tokenizer.json")
    with pytest.raises(NotUpstream, match=r"tokenizer\.json"):
        world.create(tmp_path / "bundle")
    world.hub.repos["Org/Tiny"]["tokenizer/tokenizer.json"] = tokenizer
    world.hub.requests.clear()
    world.create(tmp_path / "bundle")
    asked = {r.rpartition("/")[2] for r in world.hub.requests}
    assert "tokenizer.json" in asked
    assert "model.safetensors" not in asked


def test_weights_from_a_directory_are_carried_when_the_directory_is_given(world: World, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own/a.safetensors").write_bytes(b"weights")
    source = DirectorySource(path=tmp_path / "own")
    model = lock_model(
        Model(name="own", source=source, licence="MIT", reason="Our own weights."), world.source_map, Upstream(), []
    )
    lock = world.locked(tmp_path / "own.lock", models=[model], parts=[], images=[])
    with pytest.raises(BadInput) as e:
        world.create(tmp_path / "bundle", lock)
    assert "--model-directory own=PATH" in e.value.instead
    create(Order(lock, tmp_path / "bundle", Upstream(), SourceMap.none(), {"own": tmp_path / "own"}), Silent())
    verify(tmp_path / "bundle", Silent())
    (tmp_path / "own/a.safetensors").write_bytes(b"changed")
    with pytest.raises(Damaged, match="it is not the locked file"):
        create(Order(lock, tmp_path / "other", Upstream(), SourceMap.none(), {"own": tmp_path / "own"}), Silent())


def test_a_bundle_that_is_whole_is_left_alone_and_another_locks_is_refused(world: World, tmp_path: Path) -> None:
    world.create(tmp_path / "bundle")
    before = files(tmp_path / "bundle")
    world.create(tmp_path / "bundle")
    assert files(tmp_path / "bundle") == before
    with pytest.raises(BadInput, match="another lock"):
        world.create(tmp_path / "bundle", world.locked(tmp_path / "other.lock", models=[]))


def test_a_disk_that_is_too_small_is_refused_before_a_byte_moves(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9, 70_000_000))
    huge = [structs.replace(m, files=[structs.replace(f, size=10**9) for f in m.files]) for m in world.lock.models]
    with pytest.raises(NoSpace, match="70,000,000 are free"):
        world.create(tmp_path / "bundle", world.locked(tmp_path / "huge.lock", models=huge))
    assert not (tmp_path / "bundle.partial").exists()


def test_an_upstream_that_changed_since_the_lock_is_refused(world: World, tmp_path: Path) -> None:
    changed = [structs.replace(i, digest="sha256:" + "0" * 64) for i in world.lock.images]
    with pytest.raises(Damaged, match="the lock says sha256:000"):
        world.create(tmp_path / "bundle", world.locked(tmp_path / "changed.lock", images=changed))
    world.hub.files["crds.yaml"] = b"kind: Other\n"
    with pytest.raises(Damaged, match=r"crds\.yaml"):
        world.create(tmp_path / "bundle")


def test_weights_that_changed_since_the_lock_are_refused(world: World, tmp_path: Path) -> None:
    size = len(world.hub.repos["Org/Tiny"]["model.safetensors"])
    for other, said in ((b"other", "it has 5 bytes"), (bytes(size), "sha256 is")):
        world.hub.repos["Org/Tiny"]["model.safetensors"] = other
        with pytest.raises(Damaged, match=rf"model\.safetensors: {said}"):
            world.create(tmp_path / "bundle")


def test_what_upstream_lacks_and_who_does_not_answer_are_told_apart(world: World, tmp_path: Path) -> None:
    gone = [structs.replace(i, upstream_digest="sha256:" + "0" * 64) for i in world.lock.images]
    with pytest.raises(NotUpstream, match="manifest unknown"):
        world.create(tmp_path / "bundle", world.locked(tmp_path / "gone.lock", images=gone))
    dead = SourceMap(hosts=dict.fromkeys(world.source_map.hosts, "http://127.0.0.1:9"))
    with pytest.raises(RegistryRefused, match="connection refused"):
        type(world)(world.lock, world.lock_file, dead, world.hub, world.publisher).create(tmp_path / "bundle")


def largest(bundle: Path) -> Path:
    return max(bundle.glob("blobs/sha256/*"), key=lambda p: p.stat().st_size)


def test_a_flipped_bit_in_any_file_is_found_and_the_file_is_named(whole: Path) -> None:
    for path in sorted(p for p in whole.rglob("*") if p.is_file()):
        content = path.read_bytes()
        middle = len(content) // 2
        path.write_bytes(content[:middle] + bytes([content[middle] ^ 4]) + content[middle + 1 :])
        with pytest.raises((Damaged, BadInput)) as e:
            verify(whole, Silent())
        if path.parent.name == "sha256":
            assert str(path) in str(e.value)
        path.write_bytes(content)
    verify(whole, Silent())


def test_a_truncated_and_a_missing_blob_are_found(whole: Path) -> None:
    blob = largest(whole)
    os.truncate(blob, blob.stat().st_size - 1)
    with pytest.raises(Damaged, match=f"{blob.name}: it has"):
        verify(whole, Silent())
    blob.unlink()
    with pytest.raises(Damaged, match=f"{blob.name}: missing"):
        verify(whole, Silent())


def test_a_file_that_nothing_leads_to_is_found(whole: Path) -> None:
    for name in ("extra", "blobs/sha256/" + "0" * 64, "blobs/extra", ".hidden"):
        (whole / name).write_text("x")
        with pytest.raises(Damaged, match="nothing in the lock leads to this file"):
            verify(whole, Silent())
        (whole / name).unlink()
    verify(whole, Silent())


def test_a_bundle_with_another_lock_is_refused_even_when_the_sums_agree(whole: Path) -> None:
    lock = Lock.read(whole / "sealift.lock")
    structs.replace(lock, models=[]).write(whole / "sealift.lock")
    with pytest.raises(Damaged, match="not the lock"):
        verify(whole, Silent())
    data = json.loads((whole / "bundle.json").read_text())
    data["lock_sha256"] = hashlib.sha256((whole / "sealift.lock").read_bytes()).hexdigest()
    (whole / "bundle.json").write_text(json.dumps(data))
    with pytest.raises(Damaged, match=r"model hub\.test/org/tiny.* is in it and not locked"):
        verify(whole, Silent())


def test_only_a_bundle_of_the_reviewed_lock_passes_when_that_is_given(whole: Path, tmp_path: Path) -> None:
    reviewed = tmp_path / "reviewed.lock"
    reviewed.write_bytes((whole / "sealift.lock").read_bytes())
    verify(whole, Silent(), reviewed)
    reviewed.write_bytes(reviewed.read_bytes() + b"# changed\n")
    with pytest.raises(Damaged, match=r"it is not .*reviewed\.lock"):
        verify(whole, Silent(), reviewed)


def test_weights_that_are_not_the_locked_ones_are_refused_even_when_every_digest_agrees(
    whole: Path,
) -> None:
    lock = Lock.read(whole / "sealift.lock")
    file = structs.replace(lock.models[0].files[1], sha256="0" * 64)
    model = structs.replace(lock.models[0], files=[lock.models[0].files[0], file, lock.models[0].files[2]])
    structs.replace(lock, models=[model]).write(whole / "sealift.lock")
    data = json.loads((whole / "bundle.json").read_text())
    data["lock_sha256"] = hashlib.sha256((whole / "sealift.lock").read_bytes()).hexdigest()
    (whole / "bundle.json").write_text(json.dumps(data))
    with pytest.raises(Damaged, match="it is not the image of model tiny as locked"):
        verify(whole, Silent())


def test_a_directory_that_is_no_bundle_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"bundle\.json"):
        Bundle.open(tmp_path)


def test_making_a_bundle_does_not_wait_for_the_disk_as_after_a_reboot_all_is_read_again(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[int] = []
    monkeypatch.setattr("mirror.atomic.os.fsync", flushed.append)
    world.create(tmp_path / "bundle")
    assert flushed == []
