"""What commands that move bytes say before they do: true, and without doing it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from mirror import cli
from mirror.bundle import Bundle
from mirror.bundle_bytes import NotWhole
from mirror.bundle_create import create
from mirror.bundle_verify import verify
from mirror.layout import digest
from mirror.parts import SMALLEST
from mirror.progress import Silent
from mirror.repair_request import RepairRequest

from .distribution.fake import FakeRegistry, serving
from .upside import Upside, blob


@pytest.fixture
def inside() -> Iterator[FakeRegistry]:
    with serving() as made:
        yield made


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Upside]:
    with serving() as fake:
        made = Upside(fake, tmp_path)
        base = blob("base", 1_500_000)
        made.images = {f"up.test/org/{n}:1": [base, blob(n, 700_000)] for n in "abc"}
        made.model = {"w.safetensors": blob("w", 1_300_000), "config.json": b"{}"}
        (tmp_path / "map.yaml").write_text(f"up.test: http://{fake.host}\n")
        yield made


def sealift(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> dict[str, object]:
    capsys.readouterr()
    given = [*map(str, arguments), "--json"]
    found = cli.run(cli.assemble(given[0]), given)
    said = capsys.readouterr()
    assert found == code, said
    result: dict[str, object] = json.loads(said.out)
    return result


def files(directory: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in directory.rglob("*") if p.is_file()}


@pytest.mark.parametrize("part_size", [None, SMALLEST], ids=["in files", "in parts"])
def test_a_dry_run_of_repair_says_what_would_be_fetched(
    up: Upside, tmp_path: Path, part_size: int | None, capsys: pytest.CaptureFixture[str]
) -> None:
    create(up.order("sent", part_size=part_size), Silent())
    lost = f"blobs/{digest(blob('a', 700_000)).replace(':', '/')}" if part_size is None else "parts/0002"
    (tmp_path / "sent" / lost).unlink()
    with pytest.raises(NotWhole) as e:
        verify(tmp_path / "sent", Silent())
    RepairRequest.of(e.value).write(tmp_path / "repair.json")
    command = ["bundle", "repair", "--request", tmp_path / "repair.json", "--lock", tmp_path / "sealift.lock"]
    command += ["--source-map", tmp_path / "map.yaml", "--output", tmp_path / "mended"]
    command += ["--model-directory", f"own={tmp_path / 'own'}"]
    before = files(tmp_path)
    plan = sealift(capsys, *command, "--dry-run")
    assert files(tmp_path) == before
    assert plan["files"] == [str(tmp_path / "mended" / lost)]
    assert plan["fetch"] == 700_000 if part_size is None else plan["needed"] == part_size
    assert sealift(capsys, *command) == {"files": plan["files"]}
    written = sum(p.stat().st_size for p in (tmp_path / "mended").rglob("*") if p.is_file())
    assert written == plan["needed"]


def test_a_dry_run_of_an_inventory_asks_and_writes_nothing(
    up: Upside, inside: FakeRegistry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    create(up.order("bundle"), Silent())
    registry = ["--registry", f"{inside.host}/site", "--allow-plain-http"]
    site = ["--output", tmp_path / "site"]
    assert sealift(capsys, "load", tmp_path / "bundle", *registry, *site, "--accept-unsigned-bundle")["missing"] == []
    command = ["inventory", *registry, "--output", tmp_path / "inventory.json"]
    before = files(tmp_path)
    planned = sealift(capsys, *command, "--dry-run")
    assert files(tmp_path) == before
    assert planned["blobs"]
    assert sealift(capsys, *command)["blobs"] == planned["blobs"]
    assert (tmp_path / "inventory.json").is_file()


def test_a_dry_run_of_a_load_sends_nothing(
    up: Upside, inside: FakeRegistry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    create(up.order("bundle"), Silent())
    command = ["load", tmp_path / "bundle", "--registry", f"{inside.host}/site", "--allow-plain-http"]
    planned = sealift(capsys, *command, "--accept-unsigned-bundle", "--output", tmp_path / "site", "--dry-run")
    assert {r.partition(" ")[0] for r in inside.requests} == {"GET"}
    assert not (tmp_path / "site").exists()
    entries = Bundle.open(tmp_path / "bundle").contents.entries
    said = planned["entries"]
    assert isinstance(said, list)
    assert [(e["target"].rpartition("@")[2], e["size"]) for e in said] == [(e.digest, e.size) for e in entries]
    assert not any(e["there"] for e in said)
