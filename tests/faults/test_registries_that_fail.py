"""Registries that fail, lie and break off, by a proxy: a bundle and a registry are right in the end or not said to be.

Each seed is another sequence of faults; they are counted and printed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from mirror import load as loading
from mirror.bundle import Bundle
from mirror.bundle_create import Order, create
from mirror.distribution.endpoint import Client, Patience
from mirror.errors import SealiftError
from mirror.growing import InMemory
from mirror.layout import INDEXES, MANIFESTS, Descriptor
from mirror.progress import Silent
from mirror.receipt import Receipt
from mirror.reference import Reference
from mirror.registry import Internal, Upstream
from mirror.source_map import SourceMap

from ..mirror.conftest import Registry
from ..mirror.distribution.fake import serving
from ..mirror.upside import Upside, blob
from .proxy import AFTER, before

pytestmark = pytest.mark.slow

SEEDS = 25
FAULTS = 24
"""Of each seed."""
RUNS = 60
"""So often is a command run again, at most."""


def impatient() -> Client:
    """Gives up a silent connection soon, and waits for nobody."""
    return Client(patience=Patience(timeout=AFTER / 2, sleep=lambda _: None))


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Upside]:
    with serving() as fake:
        made = Upside(fake, tmp_path)
        base = blob("base", 700_000)
        made.images = {
            "up.test/org/a:1": [base, blob("a", 300_000)],
            "up.test/org/b:1": [base, blob("b", 400_001), blob("tiny", 1)],
        }
        made.model = {"a.safetensors": blob("weights", 300_000), "config.json": b"{}"}
        yield made


def files(directory: Path) -> dict[str, bytes]:
    return {str(p.relative_to(directory)): p.read_bytes() for p in sorted(directory.rglob("*")) if p.is_file()}


def again(run: Callable[[], Sequence[object]]) -> int:
    """How often ``run``, which says what is missing, had to be run until nothing was.

    Only errors that a person can act on may come out of it.
    """
    lacking: object = None
    for count in range(1, RUNS + 1):
        try:
            lacking = run()
            if not lacking:
                return count
        except SealiftError as e:
            lacking = e
    raise AssertionError(f"not done after {RUNS} runs: {lacking}")


@pytest.mark.parametrize("part_size", [None, 1 << 20], ids=["in files", "in parts"])
def test_a_bundle_made_from_a_registry_that_fails_and_lies_is_byte_for_byte_the_same(
    up: Upside, part_size: int | None, monkeypatch: pytest.MonkeyPatch, counted: Callable[[str], None]
) -> None:
    monkeypatch.setattr("mirror.store.STEP", 100_000)
    lock = up.lock()
    create(up.order("straight", lock, part_size=part_size), Silent())
    expected = files(up.directory / "straight")
    struck: Counter[str] = Counter()
    runs = 0
    for seed in range(SEEDS):
        with before(up.fake.host, f"create {part_size} {seed}", 0.5, FAULTS) as proxy:
            mapped = SourceMap(hosts={"up.test": f"http://{proxy.host}"})

            def made() -> Sequence[object]:
                source = Upstream(mapped, impatient())  # noqa: B023 - called before the next proxy
                own = {"own": up.directory / "own"}
                create(Order(lock, up.directory / f"{seed}", source, mapped, own, part_size), Silent())  # noqa: B023
                return []

            runs += again(made)
        assert files(up.directory / f"{seed}") == expected
        struck += proxy.struck
    counted(f"create {part_size or 'in files'}: {SEEDS} bundles, each right, in {runs} runs through {said(struck)}")


def said(struck: Counter[str]) -> str:
    return f"{sum(struck.values())} faults ({', '.join(f'{n} {f}' for f, n in sorted(struck.items()))})"


def contradicted(received: Receipt, bundle: Bundle, direct: Internal, host: str) -> list[str]:
    """What the receipt says and the registry, asked directly, does not bear out."""
    wrong = []
    said = {i.digest: i.mirrored for i in received.images} | {m.digest: m.mirrored for m in received.models}
    for entry in bundle.contents.entries:
        if entry.digest in said:
            at = replace(Reference.parse(said[entry.digest]), registry=host)
            below = bundle.layout.walk(bundle.descriptor(entry))
            wrong += [f"{entry.reference} {d.digest}" for d in below if not held(direct, at.with_digest(d.digest), d)]
    return wrong


def held(direct: Internal, reference: Reference, d: Descriptor) -> bool:
    try:
        if d.media_type in INDEXES | MANIFESTS:
            return len(direct.raw_manifest(reference)) == d.size
        target = InMemory()
        direct.fetch(reference, d, target)
    except SealiftError:
        return False
    return target.digest() == d.digest


@pytest.fixture(params=["in this process", "distribution"])
def inside(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """``host:port`` of an internal registry."""
    if request.param == "distribution":
        registry = Registry(tmp_path / "registry").start()
        yield registry.host
        registry.stop()
    else:
        with serving() as fake:
            yield fake.host


def test_a_load_into_a_registry_that_fails_and_lies_says_nothing_that_is_not_so_and_is_done_in_the_end(
    up: Upside, inside: str, monkeypatch: pytest.MonkeyPatch, counted: Callable[[str], None]
) -> None:
    monkeypatch.setattr("mirror.distribution.push.CHUNK", 150_000)
    create(up.order("bundle"), Silent())
    bundle = Bundle.open(up.directory / "bundle")
    direct = Internal(Client(), plain=True)
    struck: Counter[str] = Counter()
    runs = 0
    for seed in range(SEEDS):
        with before(inside, f"load {seed}", 0.4, FAULTS) as proxy:

            def loaded() -> Sequence[object]:
                internal = Internal(impatient(), plain=True)
                site = up.directory / f"site-{seed}"  # noqa: B023 - called before the next proxy
                received = loading.load(bundle, f"{proxy.host}/r{seed}", internal, site, Silent())  # noqa: B023
                assert contradicted(received, bundle, direct, inside) == []
                return received.missing

            runs += again(loaded)
        struck += proxy.struck
    counted(f"load: {SEEDS} registries, each right, in {runs} runs through {said(struck)}")
