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
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mirror.bundle import Bundle
from mirror.bundle_create import Order, create
from mirror.bundle_verify import verify
from mirror.layout import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, Descriptor, digest, encode
from mirror.lock import Lock, LockedImage
from mirror.progress import Silent
from mirror.registry import Upstream
from mirror.source_map import SourceMap

from ..mirror.distribution.fake import FakeRegistry, serving

pytestmark = pytest.mark.slow

KILLS = 100
"""Of create and of load each."""
CODE = "import sys; from mirror import cli; sys.exit(cli.run(cli.assemble(sys.argv[1])))"


@dataclass
class Site:
    directory: Path
    upstream: FakeRegistry
    inside: FakeRegistry
    lock: Path
    source_map: Path
    mapped: SourceMap

    def sealift(self, *arguments: object) -> subprocess.Popen[bytes]:
        log = (self.directory / "log").open("ab")
        with log:
            command = [sys.executable, "-c", CODE, *map(str, arguments)]
            return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with serving() as upstream, serving() as inside:
        chosen = random.Random("layers")
        base = chosen.randbytes(2_000_000)
        images = [publish(upstream, n, [base, chosen.randbytes(400_000 * n), chosen.randbytes(7)]) for n in range(1, 7)]
        lock = Lock(
            kubernetes="1.34", platforms=["linux/amd64"], parts=[], images=images, models=[], runtimes=[], exclusions=[]
        )
        lock.write(tmp_path / "sealift.lock")
        mapped = SourceMap(hosts={"up.test": f"http://{upstream.host}"})
        (tmp_path / "map.yaml").write_text(f"up.test: http://{upstream.host}\n")
        yield Site(tmp_path, upstream, inside, tmp_path / "sealift.lock", tmp_path / "map.yaml", mapped)


def publish(fake: FakeRegistry, number: int, layers: list[bytes]) -> LockedImage:
    repository = f"org/app{number}"
    config = encode({"architecture": "amd64", "os": "linux", "number": number})
    described = [Descriptor.of(OCI_LAYER, c).json() for c in layers]
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": Descriptor.of(OCI_CONFIG, config).json()}
    manifest = encode({**document, "layers": described})
    for content in (config, *layers):
        fake.put_blob(repository, content)
    fake.manifests[repository] = {digest(manifest): manifest}
    return LockedImage(
        reference=f"up.test/{repository}:1",
        digest=digest(manifest),
        upstream_digest=digest(manifest),
        media_type=OCI_MANIFEST,
        platforms=[],
        size=len(manifest) + len(config) + sum(map(len, layers)),
        licence="MIT",
        found=["x"],
    )


def files(directory: Path) -> dict[str, str]:
    return {
        str(p.relative_to(directory)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(directory.rglob("*"))
        if p.is_file()
    }


def killed(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Whether ``process`` was killed before it ended by itself; it must not have ended badly."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            assert process.returncode == 0
            return False
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return True


@pytest.mark.parametrize("part_size", [None, 1 << 20], ids=["in files", "in parts"])
def test_a_create_that_is_killed_again_and_again_makes_the_same_bundle(site: Site, part_size: int | None) -> None:
    order = Order(site.lock, site.directory / "whole", Upstream(site.mapped), site.mapped, part_size=part_size)
    create(order, Silent())
    expected = files(site.directory / "whole")
    site.upstream.pause = 0.02
    chosen, kills, rounds = random.Random(f"create {part_size}"), 0, 0
    while kills < KILLS // 2:
        output = site.directory / f"bundle-{rounds}"
        arguments = ["bundle", "create", "--lock", site.lock, "--source-map", site.source_map, "--output", output]
        arguments += ["--part-size", str(part_size)] if part_size else []
        site.upstream.seen.clear()
        here = 0
        while killed(site.sealift(*arguments), chosen.uniform(0.3, 0.9) * 1.15**here):
            here += 1
            if output.exists():  # The kill met the process after its last step, before it had ended.
                break
        assert files(output) == expected
        kills, rounds = kills + here, rounds + 1
    print(f"{kills} kills of create in {rounds} bundles, each byte for byte the same")


def test_a_load_that_is_killed_again_and_again_puts_everything_into_the_registry(site: Site) -> None:
    create(Order(site.lock, site.directory / "bundle", Upstream(site.mapped), site.mapped), Silent())
    bundle = verify(site.directory / "bundle", Silent())
    wanted = {d.digest: d.size for e in bundle.contents.entries for d in bundle.layout.walk(bundle.descriptor(e))}
    site.inside.pause = 0.02
    chosen, kills, rounds = random.Random("load"), 0, 0
    while kills < KILLS:
        target = site.directory / f"site-{rounds}"
        arguments = ["load", site.directory / "bundle", "--registry", f"{site.inside.host}/r{rounds}"]
        arguments += ["--allow-plain-http", "--accept-unsigned-bundle", "--output", target]
        here = 0
        while killed(site.sealift(*arguments), chosen.uniform(0.3, 0.9) * 1.15**here):
            here += 1
            if (target / "receipt.json").exists():  # The kill met it after its last step, before it had ended.
                break
        received = json.loads((target / "receipt.json").read_text())
        assert received["missing"] == []
        assert len(received["images"]) == len(Bundle.open(site.directory / "bundle").contents.entries)
        held = {k: v for r, b in site.inside.blobs.items() if r.startswith(f"r{rounds}/") for k, v in b.items()}
        held |= {
            k: v
            for r, m in site.inside.manifests.items()
            if r.startswith(f"r{rounds}/")
            for k, v in m.items()
            if ":" in k
        }
        assert held.keys() == wanted.keys()
        assert all(digest(content) == k and wanted[k] == len(content) for k, content in held.items())
        kills, rounds = kills + here, rounds + 1
    print(f"{kills} kills of load in {rounds} registries, all of which then held everything")
