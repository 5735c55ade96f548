"""A disk that is full in the middle of a create or a load: a real one, in a mount namespace, which grows each time."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mirror.bundle_create import create
from mirror.layout import LOADED, RECEIPT
from mirror.progress import Silent
from mirror.receipt import Receipt

from ..mirror.distribution.fake import FakeRegistry, serving
from ..mirror.upside import Upside, blob

pytestmark = pytest.mark.slow

PAGE = 4096
RUN = "from mirror import cli; sys.exit(cli.run(cli.assemble(sys.argv[1])))"
OTHERS = "from mirror import bundle_create; bundle_create.require_space = lambda *a: None"
"""As if the disk had been large enough when it was asked, and others filled it then."""
CHUNKED = "from mirror.distribution import push; push.CHUNK = 100_000"
"""So that the load keeps a journal of where its uploads stand."""


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Upside]:
    with serving() as fake:
        made = Upside(fake, tmp_path)
        made.images = {f"up.test/org/{n}:1": [blob("base", 300_000), blob(f"{n}", 250_000)] for n in "abc"}
        made.model = {"a.safetensors": blob("weights", 300_000), "config.json": b"{}"}
        (tmp_path / "disk").mkdir()
        (tmp_path / "map.yaml").write_text(f"up.test: http://{fake.host}\n")
        yield made


@pytest.fixture
def inside() -> Iterator[FakeRegistry]:
    with serving() as made:
        yield made


def on_a_small_disk(disk: Path, first: int, step: int, patch: str, arguments: list[object]) -> dict[str, Any]:
    """What small_disk.py reports of ``sealift`` with ``arguments``, which must come to a good end."""
    program = [sys.executable, "-c", f"import sys; {patch}; {RUN}", *map(str, arguments)]
    small = [sys.executable, Path(__file__).with_name("small_disk.py"), disk, first, step, *program]
    done = subprocess.run(
        ["unshare", "--map-root-user", "--mount", *map(str, small)], check=False, capture_output=True, text=True
    )
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == 0, found["said"]
    return found


@pytest.mark.parametrize("part_size", [None, 1 << 20], ids=["in files", "in parts"])
def test_a_create_on_a_disk_that_is_full_again_and_again_goes_on_each_time(
    up: Upside, part_size: int | None, counted: Callable[[str], None]
) -> None:
    lock = up.lock()
    create(up.order("straight", lock, part_size=part_size), Silent())
    expected = {
        f"bundle/{p.relative_to(up.directory / 'straight')}": hashlib.sha256(p.read_bytes()).hexdigest()
        for p in (up.directory / "straight").rglob("*")
        if p.is_file()
    }
    up.fake.sent = 0
    disk = up.directory / "disk"
    arguments: list[object] = ["bundle", "create", "--lock", lock, "--source-map", up.directory / "map.yaml"]
    arguments += ["--output", disk / "bundle", "--model-directory", f"own={up.directory / 'own'}"]
    arguments += ["--part-size", part_size] if part_size else []
    found = on_a_small_disk(disk, 2 * PAGE, 26 * PAGE, OTHERS, arguments)
    made = {k: hashlib.sha256(bytes.fromhex(v)).hexdigest() for k, v in found["files"].items()}
    assert made == expected
    assert found["full"] >= 10
    counted(f"create {part_size or 'in files'}: the disk was full {found['full']} times; {up.fake.sent:,} bytes sent")


def test_a_load_whose_directory_is_on_a_full_disk_says_so_and_goes_on(
    up: Upside, inside: FakeRegistry, counted: Callable[[str], None]
) -> None:
    made = create(up.order("bundle"), Silent())
    site = up.directory / "disk"
    arguments: list[object] = ["load", up.directory / "bundle", "--registry", inside.host, "--output", site]
    arguments += ["--allow-plain-http", "--accept-unsigned-bundle"]
    found = on_a_small_disk(site, PAGE, PAGE, CHUNKED, arguments)
    received = Receipt.parse(bytes.fromhex(found["files"][RECEIPT]).decode(), "receipt.json")
    assert found["files"].keys() == {RECEIPT, LOADED}
    assert received.missing == []
    assert len(received.images) + len(received.models) == len(made.contents.entries)
    assert found["full"] >= 1
    assert inside.received == sum({k: len(c) for held in inside.blobs.values() for k, c in held.items()}.values())
    counted(f"load: the disk was full {found['full']} times; {inside.received:,} bytes sent, none twice")
