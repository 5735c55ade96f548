"""From upstream into a bundle, across, and into the registry inside: whole, in parts, interrupted, as a delta.

Both registries are in this process; the other tests of bundles and loads use real ones.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirror import bundle_create, bundle_write, load, prune
from mirror.bundle import Bundle
from mirror.bundle_bytes import NotWhole
from mirror.bundle_create import create
from mirror.bundle_plan import Weights
from mirror.bundle_repair import repair
from mirror.bundle_verify import verify
from mirror.distribution.endpoint import Client
from mirror.errors import BadInput, Damaged, InUse, RegistryRefused, WrongTarget
from mirror.growing import FileMedium, Growing
from mirror.inventory import Inventory
from mirror.inventory_take import take
from mirror.layout import Descriptor, digest
from mirror.lock import LockedFile, LockedModel
from mirror.model_image import layer_size
from mirror.parts import SMALLEST, blob_path
from mirror.progress import Silent
from mirror.receipt import Receipt
from mirror.registry import Internal, Upstream
from mirror.repair_request import RepairRequest
from mirror.source_map import SourceMap
from mirror.store import cut_off, journal
from mirror.tar_stream import BLOCK
from mirror.weights import bring

from .distribution.fake import FakeRegistry, serving
from .upside import Upside, blob, client

REGISTRY_PREFIX = "site"


@pytest.fixture
def inside() -> Iterator[FakeRegistry]:
    with serving() as made:
        yield made


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Upside]:
    with serving() as fake:
        base = blob("base", 1_500_000)
        made = Upside(fake, tmp_path)
        made.images = {
            "up.test/org/a:1": [base, blob("a", 700_000)],
            "up.test/org/b:1": [base, blob("b", 900_001), blob("tiny", 1)],
            "up.test/org/c:1": [blob("c", 10), b"\0" * 512],
        }
        made.model = {"a.safetensors": blob("weights", 1_300_000), "config.json": b"{}"}
        yield made


def internal() -> Internal:
    return Internal(client(), plain=True)


def loaded(bundle: Path, fake: FakeRegistry, site: Path) -> Receipt:
    return load.load(Bundle.open(bundle), f"{fake.host}/{REGISTRY_PREFIX}", internal(), site, Silent())


def inventory(fake: FakeRegistry, receipts: list[Receipt]) -> Inventory:
    return take(f"{fake.host}/{REGISTRY_PREFIX}", internal(), receipts, Silent())


def files(directory: Path) -> dict[str, bytes]:
    return {str(p.relative_to(directory)): p.read_bytes() for p in sorted(directory.rglob("*")) if p.is_file()}


@pytest.mark.parametrize("part_size", [None, SMALLEST], ids=["in files", "in parts"])
def test_a_bundle_is_the_same_bytes_each_time_and_verifies(up: Upside, part_size: int | None) -> None:
    create(up.order("one", part_size=part_size), Silent())
    create(up.order("two", part_size=part_size), Silent())
    assert files(up.directory / "one") == files(up.directory / "two")
    verify(up.directory / "one", Silent())


def test_parts_are_the_layout_in_a_tar(up: Upside, tmp_path: Path) -> None:
    create(up.order("flat"), Silent())
    create(up.order("parts", part_size=SMALLEST), Silent())
    parts = sorted((tmp_path / "parts/parts").iterdir())
    assert [p.name for p in parts] == [f"{n:04}" for n in range(1, len(parts) + 1)]
    assert all(p.stat().st_size == SMALLEST for p in parts[:-1])
    (tmp_path / "whole.tar").write_bytes(b"".join(p.read_bytes() for p in parts))
    shutil.unpack_archive(tmp_path / "whole.tar", tmp_path / "unpacked", filter="data")
    assert files(tmp_path / "unpacked") == files(tmp_path / "flat")


def test_each_blob_is_fetched_once_and_written_once(up: Upside) -> None:
    create(up.order("bundle"), Silent())
    fetched = [r.rpartition("/")[2] for r in up.fake.requests if "/blobs/" in r]
    assert len(fetched) == len(set(fetched)) == 9
    assert not (up.directory / "bundle.partial").exists()
    assert not list((up.directory / "bundle").rglob("*.work*"))


@pytest.mark.parametrize("part_size", [None, SMALLEST], ids=["in files", "in parts"])
def test_what_broke_off_is_gone_on_with_inside_the_blob(
    up: Upside, part_size: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mirror.store.STEP", 100_000)
    monkeypatch.setattr(bundle_create, "WORKERS", 1)
    up.fake.break_pulls_after = [1_200_000, *[0] * 5]
    with pytest.raises(RegistryRefused):
        create(up.order("bundle", part_size=part_size), Silent())
    up.fake.break_pulls_after = []
    up.fake.seen.clear()
    create(up.order("bundle", part_size=part_size), Silent())
    verify(up.directory / "bundle", Silent())
    continued = [int(h["Range"].removeprefix("bytes=").rstrip("-")) for h in up.fake.seen if "Range" in h]
    assert continued
    assert min(continued) >= 1_000_000


@pytest.mark.parametrize("part_size", [None, SMALLEST], ids=["in files", "in parts"])
def test_a_create_that_ends_when_the_model_is_there_goes_on_to_the_same_bundle(
    up: Upside, part_size: int | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    create(up.order("straight", part_size=part_size), Silent())
    with monkeypatch.context() as patched, pytest.raises(RuntimeError, match="killed"):
        patched.setattr(bundle_create, "models_documents", lambda *_: (_ for _ in ()).throw(RuntimeError("killed")))
        create(up.order("bundle", part_size=part_size), Silent())
    up.fake.requests.clear()
    create(up.order("bundle", part_size=part_size), Silent())
    assert not any("/blobs/" in r for r in up.fake.requests)
    assert files(tmp_path / "bundle") == files(tmp_path / "straight")


@pytest.mark.parametrize("lost", [False, True], ids=["noted", "with the note lost, too"])
@pytest.mark.parametrize("part_size", [None, SMALLEST], ids=["in files", "in parts"])
def test_after_a_reboot_nothing_is_believed_unread(
    up: Upside, part_size: int | None, lost: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "boot").write_text("first")
    monkeypatch.setattr("mirror.store.BOOT", tmp_path / "boot")
    monkeypatch.setattr(bundle_create, "WORKERS", 1)
    up.fake.statuses = [(0, {})] * 8 + [(404, {})]
    with pytest.raises(Exception, match="not now"):
        create(up.order("bundle", part_size=part_size), Silent())
    (tmp_path / "boot").write_text("second")
    for path in (up.directory / "bundle.partial").rglob("*"):
        if path.is_file() and path.parent.name in ("sha256", "parts", "blobs"):
            path.write_bytes(bytes(path.stat().st_size))  # What was never flushed.
    if lost:
        (up.directory / "bundle.partial/.work/boot").unlink()
    create(up.order("bundle", part_size=part_size), Silent())
    verify(up.directory / "bundle", Silent())


def test_after_a_reboot_what_stands_around_content_that_survived_is_written_again(
    up: Upside, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "boot").write_text("first")
    monkeypatch.setattr("mirror.store.BOOT", tmp_path / "boot")
    lost = tmp_path / "bundle.partial"
    with monkeypatch.context() as interrupted, pytest.raises(KeyboardInterrupt):
        interrupted.setattr(bundle_write.InParts, "finish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        create(up.order("bundle", part_size=SMALLEST), Silent())
    (tmp_path / "boot").write_text("second")
    zeros, parts = digest(b"\0" * 512), sorted((lost / "parts").iterdir())
    name = blob_path(zeros).encode()
    [part] = [p for p in parts if name in p.read_bytes()]
    content = part.read_bytes()
    at = content.index(name)
    part.write_bytes(content[:at] + bytes(BLOCK) + content[at + BLOCK :])
    up.fake.requests.clear()
    create(up.order("bundle", part_size=SMALLEST), Silent())
    assert not [r for r in up.fake.requests if "/blobs/" in r], "all of the content was there"
    verify(tmp_path / "bundle", Silent())


def test_every_damaged_and_missing_part_is_named_and_only_those_are_made_again(up: Upside, tmp_path: Path) -> None:
    create(up.order("sent", part_size=SMALLEST), Silent())
    arrived = Path(shutil.copytree(tmp_path / "sent", tmp_path / "arrived"))
    names = sorted(f"parts/{p.name}" for p in (arrived / "parts").iterdir())
    assert len(names) >= 5
    flipped, gone, cut = names[0], names[2], names[-1]
    content = bytearray((arrived / flipped).read_bytes())
    content[777] ^= 1
    (arrived / flipped).write_bytes(content)
    (arrived / gone).unlink()
    (arrived / cut).write_bytes((arrived / cut).read_bytes()[:-1])
    with pytest.raises(NotWhole) as e:
        verify(arrived, Silent())
    assert [w.name for w in e.value.wrong] == [flipped, gone, cut]
    RepairRequest.of(e.value).write(tmp_path / "repair.json")
    made = repair(RepairRequest.read(tmp_path / "repair.json"), up.order("mended"), Silent())
    assert sorted(files(tmp_path / "mended")) == [flipped, gone, cut]
    for path in made:
        shutil.copyfile(path, arrived / path.relative_to(tmp_path / "mended"))
    assert files(arrived) == files(tmp_path / "sent")
    verify(arrived, Silent())


def test_the_last_part_alone_is_made_again(up: Upside, tmp_path: Path) -> None:
    """It holds what follows from the models' layers, which are not fetched for it."""
    create(up.order("sent", part_size=SMALLEST), Silent())
    arrived = Path(shutil.copytree(tmp_path / "sent", tmp_path / "arrived"))
    last = max((arrived / "parts").iterdir())
    last.unlink()
    with pytest.raises(NotWhole) as e:
        verify(arrived, Silent())
    repair(RepairRequest.of(e.value), up.order("mended"), Silent())
    assert (tmp_path / "mended/parts" / last.name).read_bytes() == (tmp_path / "sent/parts" / last.name).read_bytes()


def test_damaged_files_of_a_bundle_without_parts_are_made_again(up: Upside, tmp_path: Path) -> None:
    create(up.order("sent"), Silent())
    arrived = Path(shutil.copytree(tmp_path / "sent", tmp_path / "arrived"))
    largest = sorted((arrived / "blobs/sha256").iterdir(), key=lambda p: p.stat().st_size)[-3:]
    for path in largest:
        path.write_bytes(b"x" * path.stat().st_size)
    with pytest.raises(NotWhole) as e:
        verify(arrived, Silent())
    assert len(e.value.wrong) == 3
    made = repair(RepairRequest.of(e.value), up.order("mended"), Silent())
    assert len(made) == 3
    for path in made:
        shutil.copyfile(path, arrived / path.relative_to(tmp_path / "mended"))
    verify(arrived, Silent())


def test_a_repair_with_another_lock_is_refused(up: Upside, tmp_path: Path) -> None:
    create(up.order("sent", part_size=SMALLEST), Silent())
    (tmp_path / "sent/parts/0001").unlink()
    with pytest.raises(NotWhole) as e:
        verify(tmp_path / "sent", Silent())
    up.images.pop("up.test/org/c:1")
    with pytest.raises(BadInput, match="not the lock of the bundle"):
        repair(RepairRequest.of(e.value), up.order("mended", up.lock("other.lock")), Silent())


@pytest.mark.parametrize("part_size", [None, SMALLEST], ids=["in files", "in parts"])
def test_a_load_sends_each_blob_once_and_again_nothing(
    up: Upside, inside: FakeRegistry, part_size: int | None, tmp_path: Path
) -> None:
    made = create(up.order("bundle", part_size=part_size), Silent())
    received = loaded(tmp_path / "bundle", inside, tmp_path / "site")
    assert received.missing == []
    blobs = {d.digest: d.size for e in made.contents.entries for d in made.layout.walk(made.descriptor(e))}
    stored = {k: len(v) for r in inside.blobs.values() for k, v in r.items()}
    assert inside.received == sum(stored.values())
    assert stored.items() <= blobs.items()
    inside.requests.clear()
    assert loaded(tmp_path / "bundle", inside, tmp_path / "site") == received
    assert {r.partition(" ")[0] for r in inside.requests} == {"GET"}


def test_one_image_that_fails_does_not_stop_the_others(up: Upside, inside: FakeRegistry, tmp_path: Path) -> None:
    made = create(up.order("bundle"), Silent())
    lost = made.layout.blob(digest(blob("b", 900_001)))
    content = lost.read_bytes()
    lost.write_bytes(content[:-1] + b"?")
    received = loaded(tmp_path / "bundle", inside, tmp_path / "site")
    assert [m.reference for m in received.missing] == ["up.test/org/b:1"], received.missing
    assert {i.reference for i in received.images} == {"up.test/org/a:1", "up.test/org/c:1"}
    lost.write_bytes(content)
    assert loaded(tmp_path / "bundle", inside, tmp_path / "site").missing == []


def test_a_registry_that_will_not_mount_gets_the_bytes_again(up: Upside, inside: FakeRegistry, tmp_path: Path) -> None:
    create(up.order("bundle"), Silent())
    inside.mounts = False
    assert loaded(tmp_path / "bundle", inside, tmp_path / "site").missing == []


def test_a_delta_holds_what_the_other_side_lacks_and_loads_only_there(
    up: Upside, inside: FakeRegistry, tmp_path: Path
) -> None:
    create(up.order("first"), Silent())
    first = loaded(tmp_path / "first", inside, tmp_path / "site")
    there = inventory(inside, [first])
    assert inventory(inside, []).blobs.keys() == there.blobs.keys()
    up.images["up.test/org/a:2"] = [blob("base", 1_500_000), blob("a2", 300_000)]
    up.model["b.safetensors"] = blob("more", 50_000)
    lock = up.lock("second.lock")
    up.fake.requests.clear()
    made = create(up.order("delta", lock, since=there, part_size=SMALLEST), Silent())
    fetched = {r.rpartition("/")[2] for r in up.fake.requests if "/blobs/" in r}
    assert len(fetched) == 2, "the new layer and the new configuration"
    assert sum(p.stat().st_size for p in (tmp_path / "delta/parts").iterdir()) < 400_000
    verify(tmp_path / "delta", Silent())
    assert made.omitted.keys() <= there.blobs.keys()
    before = inside.received
    inside.requests.clear()
    second = loaded(tmp_path / "delta", inside, tmp_path / "site")
    assert second.missing == []
    assert inside.received - before < 400_000
    asked = {r.rpartition("/")[2] for r in inside.requests if r.startswith("HEAD") and "/blobs/" in r}
    assert digest(blob("base", 1_500_000)) in asked, "what the new image needs and the delta leaves out"
    assert digest(blob("b", 900_001)) not in asked, "what only an image needs whose manifest has answered"
    with serving() as elsewhere, pytest.raises(WrongTarget, match="it was made for that registry"):
        loaded(tmp_path / "delta", elsewhere, tmp_path / "elsewhere")
    gone = digest(blob("base", 1_500_000))
    for held in inside.blobs.values():
        held.pop(gone, None)
    inside.manifests.clear()
    with pytest.raises(WrongTarget, match=gone):
        loaded(tmp_path / "delta", inside, tmp_path / "again")


def test_an_inventory_asks_for_each_blob_until_one_repository_has_it(
    up: Upside, inside: FakeRegistry, tmp_path: Path
) -> None:
    create(up.order("first"), Silent())
    first = loaded(tmp_path / "first", inside, tmp_path / "site")
    inside.requests.clear()
    whole = inventory(inside, [first])
    asked = [r.rpartition("/")[2] for r in inside.requests if r.startswith("HEAD") and "/blobs/" in r]
    assert sorted(asked) == sorted(whole.blobs)
    assert [f.name for f in whole.files] == ["a.safetensors", "config.json"]
    base = digest(blob("base", 1_500_000))
    del inside.blobs[whole.blobs[base].repository][base]
    there = inventory(inside, [first]).blobs[base].repository
    assert there != whole.blobs[base].repository
    del inside.blobs[there][base]
    assert base not in inventory(inside, [first]).blobs


LAYERS = st.lists(st.sampled_from([f"layer-{n}" for n in range(6)]), min_size=1, max_size=3, unique=True)
SIDES = st.dictionaries(st.sampled_from([f"up.test/org/{n}:1" for n in "abcd"]), LAYERS, min_size=1)


@pytest.mark.slow
@settings(max_examples=15)
@given(old=SIDES, new=SIDES)
def test_a_delta_applied_to_what_it_was_made_since_gives_the_whole(
    old: dict[str, list[str]], new: dict[str, list[str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("delta")
    with serving() as fake, serving() as target, serving() as straight:
        made = Upside(fake, directory)
        made.images = {r: [blob(x, 2000) for x in layers] for r, layers in old.items()}
        create(made.order("old", made.lock("old.lock")), Silent())
        receipt = loaded(directory / "old", target, directory / "site")
        made.images = {r: [blob(x, 2000) for x in layers] for r, layers in new.items()}
        lock = made.lock("new.lock")
        create(made.order("new", lock), Silent())
        create(made.order("delta", lock, since=inventory(target, [receipt])), Silent())
        delta = loaded(directory / "delta", target, directory / "site")
        whole = loaded(directory / "new", straight, directory / "straight")
        assert [i.digest for i in delta.images] == [i.digest for i in whole.images]
        for repository, held in straight.blobs.items():
            assert held.items() <= target.blobs[repository].items()
        for repository, documents in straight.manifests.items():
            assert documents.items() <= target.manifests[repository].items()


def test_prune_removes_what_no_kept_receipt_names_and_nothing_that_runs(
    up: Upside, inside: FakeRegistry, tmp_path: Path
) -> None:
    create(up.order("first"), Silent())
    loaded(tmp_path / "first", inside, tmp_path / "site")
    old = up.images.pop("up.test/org/b:1")
    up.images["up.test/org/b:2"] = [*old, blob("b2", 10)]
    create(up.order("second", up.lock("second.lock")), Silent())
    loaded(tmp_path / "second", inside, tmp_path / "site")
    assert prune.plan(tmp_path / "site", 2).remove == []
    planned = prune.plan(tmp_path / "site", 1)
    assert [r.repository for r in planned.remove] == ["site/up.test/org/b"]
    with pytest.raises(InUse, match="by pod ns/p"):
        planned.refuse_used({str(planned.remove[0].digest): "ns/p"})
    prune.carry_out(planned, internal(), Silent())
    assert not internal().holds(planned.remove[0])
    again = loaded(tmp_path / "second", inside, tmp_path / "site")
    assert again.missing == []
    assert prune.plan(tmp_path / "site", 1).remove == []


def test_a_registry_that_forbids_deletion_keeps_the_receipts(up: Upside, inside: FakeRegistry, tmp_path: Path) -> None:
    create(up.order("first"), Silent())
    loaded(tmp_path / "first", inside, tmp_path / "site")
    up.images.pop("up.test/org/b:1")
    create(up.order("second", up.lock("second.lock")), Silent())
    loaded(tmp_path / "second", inside, tmp_path / "site")
    inside.deletes = False
    planned = prune.plan(tmp_path / "site", 1)
    with pytest.raises(RegistryRefused, match="does not allow deletion"):
        prune.carry_out(planned, internal(), Silent())
    assert len(list((tmp_path / "site/receipts").iterdir())) == 1


def test_every_digest_in_a_pod_counts_as_running() -> None:
    one, two = "sha256:" + "1" * 64, "sha256:" + "2" * 64
    pod = {
        "spec": {"containers": [{"image": f"r/a@{one}"}], "volumes": [{"image": {"reference": f"r/b:1@{two}"}}]},
        "status": {"containerStatuses": [{"imageID": "docker.io/x:1"}]},
    }
    assert prune._digests(pod) == {one, two}


def test_a_flipped_bit_anywhere_in_a_bundle_in_parts_is_found(up: Upside, tmp_path: Path) -> None:
    create(up.order("bundle", part_size=SMALLEST), Silent())
    chosen = random.Random(7)
    for path in sorted(p for p in (tmp_path / "bundle").rglob("*") if p.is_file()):
        content = path.read_bytes()
        for _ in range(3):
            at = chosen.randrange(len(content))
            path.write_bytes(content[:at] + bytes([content[at] ^ 1 << chosen.randrange(8)]) + content[at + 1 :])
            with pytest.raises((Damaged, BadInput)):
                verify(tmp_path / "bundle", Silent())
        path.write_bytes(content)
    verify(tmp_path / "bundle", Silent())


@pytest.mark.parametrize("there", range(0, 4097, 256))
def test_a_models_layer_of_which_something_never_reached_the_disk_is_written_anew(up: Upside, there: int) -> None:
    path, content = up.directory / "own/w", blob("w", 700)
    path.parent.mkdir()
    path.write_bytes(content)
    file = LockedFile(name="w", sha256=hashlib.sha256(content).hexdigest(), size=len(content))
    model = LockedModel(name="own", origin="directory/own", revision="1", licence="MIT", files=[file])

    def made(left: bytes) -> Descriptor:
        (up.directory / "layer").write_bytes(left)
        medium = FileMedium(up.directory / "layer")
        layer = Growing(medium, layer_size(file), medium.length, lambda _: None)
        try:
            return bring(Weights(model, file), layer, Upstream(), Client(), SourceMap.none(), path.parent)
        finally:
            layer.close()

    assert made(bytes(there)) == made(b"")
    assert digest((up.directory / "layer").read_bytes()) == made(b"").digest


def test_content_that_begins_anew_cuts_what_was_there_and_a_new_file_is_not_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ext4 writes a file that was cut to nothing to the disk when it is closed: a bundle would wait for all of it."""
    cuts: list[int] = []
    cut = os.ftruncate
    monkeypatch.setattr(os, "ftruncate", lambda f, size: cuts.append(size) or cut(f, size))
    for content, expected in ((b"longer", []), (b"short", [0])):
        medium = FileMedium(tmp_path / "file")
        medium.put(0, memoryview(content))
        medium.close()
        assert (tmp_path / "file").read_bytes() == content
        assert cuts == expected


def test_a_journal_whose_last_line_was_cut_off_does_not_join_it_to_the_next(tmp_path: Path) -> None:
    whole = f"one\tsha256:{'1' * 64}\ntwo\t5\n"
    (tmp_path / "journal").write_text(f"{whole}three\tsha256:22")
    cut_off(tmp_path / "journal")
    assert journal(tmp_path / "journal") == ({"two": 5}, {"one": f"sha256:{'1' * 64}"})
    assert (tmp_path / "journal").read_text() == whole


def test_a_load_that_was_killed_before_its_receipt_does_not_keep_the_last_one_twice(
    up: Upside, inside: FakeRegistry, tmp_path: Path
) -> None:
    create(up.order("first"), Silent())
    loaded(tmp_path / "first", inside, tmp_path / "site")
    up.images.pop("up.test/org/b:1")
    create(up.order("second", up.lock("second.lock")), Silent())
    first = (tmp_path / "site/receipt.json").read_bytes()
    loaded(tmp_path / "second", inside, tmp_path / "site")
    (tmp_path / "site/receipt.json").write_bytes(first)
    loaded(tmp_path / "second", inside, tmp_path / "site")
    assert [p.read_bytes() for p in (tmp_path / "site/receipts").iterdir()] == [first]


def test_the_list_of_parts_can_be_checked_without_sealift(up: Upside, tmp_path: Path) -> None:
    create(up.order("bundle", part_size=SMALLEST), Silent())
    listed = json.loads((tmp_path / "bundle/parts.json").read_text())
    for part in listed["parts"]:
        content = (tmp_path / "bundle" / part["name"]).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (part["size"], part["sha256"])
