"""Kill -9 at random moments of create and of load: nothing wrong is ever accepted, and it is always gone on with.

Seeded and counted; the registries are in this process and slow enough to be killed in.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mirror.bundle_create import create
from mirror.bundle_verify import verify
from mirror.layout import digest
from mirror.progress import Silent

from ..mirror.distribution.fake import FakeRegistry, serving
from ..mirror.upside import Upside, blob

pytestmark = pytest.mark.slow

KILLS = 100
"""Of create and of load each."""
CODE = "import sys; from mirror import cli; sys.exit(cli.run(cli.assemble(sys.argv[1])))"
MB = 1_000_000


@dataclass
class Site:
    """A connected side and an inside, and the command between them."""

    directory: Path
    up: Upside
    inside: FakeRegistry
    lock: Path

    @property
    def upstream(self) -> FakeRegistry:
        return self.up.fake

    @property
    def given(self) -> list[object]:
        """What a create is given beside what it writes."""
        mapped, own = self.directory / "map.yaml", f"own={self.directory / 'own'}"
        return ["--lock", self.lock, "--source-map", mapped, "--model-directory", own]

    def sealift(self, *arguments: object, code: str = CODE) -> subprocess.Popen[bytes]:
        with (self.directory / "log").open("ab") as log:
            command = [sys.executable, "-c", code, *map(str, arguments)]
            return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)

    def create(self, output: Path, part_size: int | None) -> subprocess.Popen[bytes]:
        arguments = ["bundle", "create", *self.given, "--output", output]
        return self.sealift(*arguments, *(["--part-size", part_size] if part_size else []))

    def load(self, registry: str, output: Path, code: str = CODE) -> subprocess.Popen[bytes]:
        options = ["--registry", registry, "--allow-plain-http", "--accept-unsigned-bundle", "--output", output]
        return self.sealift("load", self.directory / "bundle", *options, code=code)

    def said(self) -> str:
        return (self.directory / "log").read_text()[-2000:]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with serving() as upstream, serving() as inside:
        base = blob("base", 2 * MB)
        up = Upside(upstream, tmp_path)
        up.images = {f"up.test/org/app{n}:1": [base, blob(f"{n}", 400_000 * n), blob(f"{n}", 7)] for n in range(1, 7)}
        up.model = {"a.safetensors": blob("weights", 3 * MB), "config.json": b"{}"}
        (tmp_path / "map.yaml").write_text(f"up.test: http://{upstream.host}\n")
        yield Site(tmp_path, up, inside, up.lock())


def files(directory: Path) -> dict[str, str]:
    return {
        str(p.relative_to(directory)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(directory.rglob("*"))
        if p.is_file()
    }


def killed(process: subprocess.Popen[bytes], begun: Callable[[], bool], seconds: float) -> bool:
    """Whether ``process`` was killed, ``seconds`` after ``begun``, before it ended by itself; never badly."""
    end: float | None = None
    while end is None or time.monotonic() < end:
        if process.poll() is not None:
            assert process.returncode == 0
            return False
        if end is None and begun():
            end = time.monotonic() + seconds
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return True


@pytest.mark.parametrize("part_size", [None, 1 << 20], ids=["in files", "in parts"])
def test_a_create_that_is_killed_again_and_again_makes_the_same_bundle(
    site: Site, part_size: int | None, counted: Callable[[str], None]
) -> None:
    create(site.up.order("whole", site.lock, part_size=part_size), Silent())
    expected = files(site.directory / "whole")
    upstream = site.upstream
    upstream.pause = 0.02
    chosen, kills, rounds = random.Random(f"create {part_size}"), 0, 0
    while kills < KILLS // 2:
        output, here = site.directory / f"bundle-{rounds}", 0
        while True:
            upstream.seen.clear()
            process = site.create(output, part_size)
            if not killed(process, lambda: bool(upstream.seen), chosen.uniform(0, 0.4) * 1.15**here):
                break
            here += 1
            if output.exists():  # The kill met the process after its last step, before it had ended.
                break
        assert files(output) == expected, site.said()
        kills, rounds = kills + here, rounds + 1
    counted(f"{kills} kills of create {part_size or 'in files'}, {rounds} bundles, each byte for byte the same")


def test_a_load_that_is_killed_again_and_again_puts_everything_into_the_registry(
    site: Site, counted: Callable[[str], None]
) -> None:
    create(site.up.order("bundle", site.lock), Silent())
    bundle = verify(site.directory / "bundle", Silent())
    wanted = {d.digest: d.size for e in bundle.contents.entries for d in bundle.layout.walk(bundle.descriptor(e))}
    inside = site.inside
    inside.pause = 0.02
    chosen, kills, rounds = random.Random("load"), 0, 0
    while kills < KILLS:
        target, here = site.directory / f"site-{rounds}", 0
        while True:
            inside.seen.clear()
            process = site.load(f"{inside.host}/r{rounds}", target)
            if not killed(process, lambda: bool(inside.seen), chosen.uniform(0, 0.4) * 1.15**here):
                break
            here += 1
            if (target / "receipt.json").exists():  # The kill met it after its last step, before it had ended.
                break
        received = json.loads((target / "receipt.json").read_text())
        assert received["missing"] == [], site.said()
        assert len(received["images"]) + len(received["models"]) == len(bundle.contents.entries)
        held = contents(inside, f"r{rounds}/")
        assert held.keys() == wanted.keys()
        assert all(digest(content) == k and wanted[k] == len(content) for k, content in held.items())
        kills, rounds = kills + here, rounds + 1
    counted(f"{kills} kills of load, {rounds} registries, each of which then held everything")


def contents(fake: FakeRegistry, prefix: str) -> dict[str, bytes]:
    """All blobs and manifests of the repositories below ``prefix``, by digest."""
    kinds = [fake.blobs, fake.manifests]
    return {
        k: v for kind in kinds for r, held in kind.items() if r.startswith(prefix) for k, v in held.items() if ":" in k
    }


PART = 32 << 20
LARGE = 96 << 20
COSTLY = 5
"""Kills of which each is paid for in bytes."""


def test_a_kill_of_create_costs_at_most_a_part(site: Site, counted: Callable[[str], None]) -> None:
    """Counted at the registry: what it sent after the first kill and before the next begins where the other ended."""
    site.up.images, site.up.model = {"up.test/org/large:1": [blob("large", LARGE)]}, {}
    site.lock, upstream = site.up.lock(), site.upstream
    upstream.pause = 0.004
    chosen, twice, before, kills = random.Random("costly"), [], 0, 0
    while kills < COSTLY:
        upstream.seen.clear()
        upstream.sent = 0
        if not killed(site.create(site.directory / "bundle", PART), lambda: upstream.sent > MB, chosen.uniform(0, 0.4)):
            break
        kills += 1
        start = starts(upstream)
        twice += [before - start] if before and start is not None else []
        before = (start or 0) + upstream.sent
    upstream.pause, upstream.sent = 0, 0
    assert site.create(site.directory / "bundle", PART).wait() == 0, site.said()
    twice.append(before - (LARGE - upstream.sent))
    verify(site.directory / "bundle", Silent())
    assert kills >= 3
    assert max(twice) <= PART
    counted(f"{kills} kills of create in {LARGE:,} bytes cost {', '.join(f'{n:,}' for n in twice)} bytes sent twice")


def starts(fake: FakeRegistry) -> int | None:
    """Where the last request for the large blob began."""
    ranges = [h["Range"] for h in fake.seen if "Range" in h]
    return int(ranges[-1].removeprefix("bytes=").rstrip("-")) if ranges else 0


@pytest.mark.parametrize("forgets", [False, True], ids=["all is kept", "broken chunks are dropped"])
def test_a_kill_of_load_costs_at_most_a_chunk(site: Site, counted: Callable[[str], None], forgets: bool) -> None:
    """Counted at the registry; the chunk is smaller than the product's, so that the blob has several."""
    site.up.images, site.up.model = {"up.test/org/large:1": [blob("large", LARGE)]}, {}
    create(site.up.order("bundle", site.up.lock()), Silent())
    chunk, inside = LARGE // 6, site.inside
    code = f"from mirror.distribution import push; push.CHUNK = {chunk}; {CODE}"
    inside.pause, inside.forgets = 0.004, forgets
    chosen, kills = random.Random(f"costly {forgets}"), 0
    while kills < COSTLY:
        before = inside.received
        process = site.load(inside.host, site.directory / "site", code)
        if not killed(process, lambda: inside.received > before + MB, chosen.uniform(0, 0.4)):  # noqa: B023
            break
        kills += 1
    inside.pause = 0
    assert site.load(inside.host, site.directory / "site", code).wait() == 0, site.said()
    twice = inside.received - sum(len(c) for held in inside.blobs.values() for c in held.values())
    assert kills >= 3
    assert twice <= kills * chunk
    assert twice if forgets else not twice
    counted(f"{kills} kills of load in {LARGE:,} bytes, chunks of {chunk:,}, cost {twice:,} bytes sent twice")
