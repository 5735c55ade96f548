"""What is said before a bundle is made is what then happens; what cannot fit is refused before a byte moves."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from mirror import bundle_create
from mirror.bundle_create import MARGIN, Order, create, look
from mirror.errors import BadInput, NoSpace, RegistryRefused
from mirror.lock import Lock
from mirror.parts import SMALLEST
from mirror.progress import Silent
from mirror.registry import Upstream
from mirror.source_map import SourceMap

from .distribution.fake import serving
from .test_transport import Upside, blob, client, inventory, loaded

if TYPE_CHECKING:
    from conftest import Hub

HOW = pytest.mark.parametrize("part_size", [None, SMALLEST], ids=["in files", "in parts"])


class Usage(NamedTuple):
    total: int
    used: int
    free: int


class Begun(Silent):
    """Notes how many bytes were said to come, and how many came."""

    def __init__(self) -> None:
        self.total = self.moved = 0

    def begin(self, what: str, total: int) -> None:
        self.total = total

    def advance(self, count: int) -> None:
        self.moved += count


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Upside]:
    with serving() as fake:
        made = Upside(fake, tmp_path)
        base = blob("base", 1_500_000)
        made.images = {f"up.test/org/{n}:1": [base, blob(n, 700_000)] for n in "ab"}
        made.model = {"w.safetensors": blob("w", 300_000)}
        yield made


def files(directory: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in directory.rglob("*") if p.is_file()}


def blobs_fetched(up: Upside) -> int:
    return sum("/blobs/" in r for r in up.fake.requests)


def break_off(up: Upside, part_size: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave a bundle.partial with part of the largest blob."""
    monkeypatch.setattr("mirror.store.STEP", 100_000)
    monkeypatch.setattr(bundle_create, "WORKERS", 1)
    up.fake.break_pulls_after = [1_200_000, *[0] * 5]
    with pytest.raises(RegistryRefused):
        create(up.order("bundle", part_size=part_size), Silent())
    up.fake.break_pulls_after = []


@HOW
def test_what_is_said_is_what_is_fetched_and_nothing_is_written_for_it(up: Upside, part_size: int | None) -> None:
    order = up.order("bundle", part_size=part_size)
    there = files(up.directory)
    carried, before, rate = look(order)
    assert files(up.directory) == there
    assert not order.partial.exists()
    weights = sum(w.size for w in carried.weights)
    assert before.fetch == 1_500_000 + 2 * 700_000 + weights + sum(i.size for i in carried.items if i.size < 1000)
    assert before.needed == before.fetch + MARGIN
    assert rate
    begun = Begun()
    create(order, begun)
    assert begun.total == begun.moved == before.fetch
    written = sum(len(c) for n, c in files(order.output).items())
    assert before.fetch <= written <= before.needed


@HOW
def test_a_resumed_create_needs_only_the_rest(
    up: Upside, part_size: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = up.order("bundle", part_size=part_size)
    whole = look(order)[1]
    break_off(up, part_size, monkeypatch)
    there = files(up.directory)
    _, rest, _ = look(order)
    assert files(up.directory) == there
    assert 1_000_000 <= whole.fetch - rest.fetch <= 1_500_000
    assert rest.needed == rest.fetch + MARGIN
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(0, 0, rest.needed - 1))
    asked = blobs_fetched(up)
    for refused in (look, lambda o: create(o, Silent())):
        with pytest.raises(NoSpace, match=f"{rest.needed:,} bytes are needed and {rest.needed - 1:,} are free"):
            refused(order)
    assert blobs_fetched(up) == asked
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(0, 0, rest.needed))
    begun = Begun()
    create(order, begun)
    assert begun.total == rest.fetch


@HOW
def test_what_cannot_fit_is_refused_before_a_byte_moves_and_leaves_nothing(
    up: Upside, part_size: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = up.order("bundle", part_size=part_size)
    needed = look(order)[1].needed
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(0, 0, needed - 1))
    asked = blobs_fetched(up)
    for refused in (look, lambda o: create(o, Silent())):
        with pytest.raises(NoSpace):
            refused(order)
    assert blobs_fetched(up) == asked
    assert not order.partial.exists()


@HOW
def test_a_delta_needs_only_what_the_other_side_lacks(
    up: Upside, part_size: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(up.order("first"), Silent())
    with serving() as inside:
        there = inventory(inside, [loaded(up.directory / "first", inside, up.directory / "site")])
    up.images["up.test/org/a:2"] = [blob("base", 1_500_000), blob("a2", 200_000)]
    order = up.order("delta", up.lock("second.lock"), since=there, part_size=part_size)
    _, before, _ = look(order)
    assert 200_000 <= before.fetch < 201_000
    assert before.left_out > 1_500_000 + 2 * 700_000
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(0, 0, before.needed))
    begun = Begun()
    create(order, begun)
    assert begun.total == before.fetch


def test_of_a_bundle_that_is_whole_nothing_is_left_and_another_locks_is_refused(up: Upside) -> None:
    order = up.order("bundle")
    create(order, Silent())
    _, before, rate = look(order)
    assert (before.fetch, before.blobs, before.needed, rate) == (0, 0, 0, None)
    up.images.pop("up.test/org/b:1")
    with pytest.raises(BadInput, match="the bundle of another lock"):
        look(up.order("bundle", up.lock("other.lock")))


def test_the_rate_is_measured_where_only_a_model_of_a_hub_is_left(hub: Hub, tmp_path: Path) -> None:
    model = hub.locked("tiny", "Org/Tiny")
    empty = {"kubernetes": "1.34", "platforms": ["linux/amd64"], "parts": [], "images": [], "runtimes": []}
    Lock(**empty, exclusions=[], models=[model]).write(tmp_path / "sealift.lock")
    mapped = SourceMap(hosts={"hub.test": hub.url})
    order = Order(tmp_path / "sealift.lock", tmp_path / "bundle", Upstream(mapped, client()), mapped)
    _, before, rate = look(order)
    assert rate
    assert rate > 0
    assert before.blobs == 3
    assert not list(tmp_path.glob("bundle*"))
    assert hashlib.sha256(hub.repos["Org/Tiny"]["config.json"]).hexdigest() == model.files[0].sha256
