"""Bundles that were damaged on their way: single bytes, lengths, places. Seeded and counted.

A damaged bundle is never accepted, and never loaded as if it were whole.
"""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from securesystemslib.signer import CryptoSigner

from mirror import load as loading
from mirror.bundle import Bundle
from mirror.bundle_create import create
from mirror.bundle_verify import verify
from mirror.distribution.endpoint import Client
from mirror.errors import SealiftError
from mirror.layout import METADATA, digest
from mirror.progress import Silent
from mirror.registry import Internal
from mirror.signing import release, roots
from mirror.signing.verify import Verified, verify_once

from ..mirror.distribution.fake import serving
from ..mirror.upside import Upside, blob

pytestmark = pytest.mark.slow

DAMAGES = 400
"""Of each of three kinds of bundle."""
LOADED = 60
"""Damaged bundles that are loaded without having been verified."""


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upside]:
    with serving() as fake:
        made = Upside(fake, tmp_path_factory.mktemp("up"))
        base = blob("base", 900_000)
        made.images = {
            "up.test/org/a:1": [base, blob("a", 300_000)],
            "up.test/org/b:1": [base, blob("b", 400_001), blob("tiny", 1)],
        }
        made.model = {"a.safetensors": blob("weights", 900_000), "config.json": b"{}"}
        yield made


def damage(bundle: Path, path: Path, chance: random.Random) -> str:
    """Damage ``path`` in one of the ways; gives which."""
    content = path.read_bytes()
    at, other = chance.randrange(len(content)), chance.randrange(len(content))
    kind = chance.choice(["flip", "flip", "byte", "cut", "longer", "gone", "swap of bytes", "swap of files"])
    if kind == "swap of bytes" and content[at] != content[other]:
        low, high = sorted((at, other))
        swapped = content[low:][high - low : high - low + 1], content[low : low + 1]
        path.write_bytes(content[:low] + swapped[0] + content[low + 1 : high] + swapped[1] + content[high + 1 :])
    elif kind == "swap of files":
        with_ = chance.choice(sorted(p for p in path.parent.iterdir() if p.is_file() and p != path))
        path.write_bytes(with_.read_bytes())
        with_.write_bytes(content)
    elif kind == "byte":
        path.write_bytes(content[:at] + bytes([(content[at] + chance.randrange(1, 256)) % 256]) + content[at + 1 :])
    elif kind == "cut":
        path.write_bytes(content[:at])
    elif kind == "longer":
        path.write_bytes(content[:at] + b"\0" + content[at:])
    elif kind == "gone":
        path.unlink()
    else:
        kind = "flip"
        path.write_bytes(content[:at] + bytes([content[at] ^ 1 << chance.randrange(8)]) + content[at + 1 :])
    return kind


def whole_files(bundle: Path) -> dict[Path, bytes]:
    return {p: p.read_bytes() for p in sorted(bundle.rglob("*")) if p.is_file()}


def mend(files: dict[Path, bytes]) -> None:
    for path, content in files.items():
        if not path.is_file() or path.stat().st_size != len(content) or path.read_bytes() != content:
            path.write_bytes(content)


def said(kinds: Counter[str]) -> str:
    return ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items()))


@pytest.mark.parametrize("part_size", [None, 1 << 20], ids=["in files", "in parts"])
def test_no_damage_to_any_file_of_a_bundle_is_accepted(
    up: Upside, part_size: int | None, counted: Callable[[str], None]
) -> None:
    bundle = up.directory / f"bundle-{part_size}"
    create(up.order(bundle.name, part_size=part_size), Silent())
    files, chance, kinds = whole_files(bundle), random.Random(f"damage {part_size}"), Counter[str]()
    for _ in range(DAMAGES):
        path = chance.choice(list(files))
        kind = damage(bundle, path, chance)
        kinds[kind] += 1
        with pytest.raises(SealiftError):
            verify(bundle, Silent())
            pytest.fail(f"accepted: {kind} of {path.relative_to(bundle)}")
        mend(files)
    verify(bundle, Silent())
    counted(f"{DAMAGES} damaged bundles {part_size or 'in files'}, all refused: {said(kinds)}")


def signed(up: Upside, bundle: Path) -> bytes:
    """Sign ``bundle``; gives the root that a site pins."""
    root, releaser, now = CryptoSigner.generate_ed25519(), CryptoSigner.generate_ecdsa(), datetime.now(UTC)
    powers = roots.Powers([root.public_key], 1, [releaser.public_key], 1, now + timedelta(days=365))
    first = roots.compose(powers, 1)
    roots.endorse(first, [root], None)
    pinned = roots.write(first, up.directory / "roots").read_bytes()
    expires = (now + timedelta(days=90)).replace(microsecond=0)
    release.sign(bundle, up.directory / "roots", [releaser], expires, 3, now)
    return pinned


def outcome(bundle: Path, pinned: bytes) -> Verified | None:
    try:
        found = verify_once(bundle, pinned)
        verify(bundle, Silent())
    except SealiftError:
        return None
    return found


def test_no_damage_to_a_signed_bundles_metadata_makes_it_another(up: Upside, counted: Callable[[str], None]) -> None:
    """A bit of it may mean nothing, as white space and the root that is pinned anyway; then all is as it was."""
    bundle = up.directory / "signed"
    create(up.order(bundle.name), Silent())
    pinned = signed(up, bundle)
    good = outcome(bundle, pinned)
    assert good
    files, chance, kinds, refused = whole_files(bundle), random.Random("signed"), Counter[str](), 0
    metadata = sorted((bundle / METADATA).iterdir())
    for _ in range(DAMAGES):
        kinds[damage(bundle, chance.choice(metadata), chance)] += 1
        found = outcome(bundle, pinned)
        assert found in (None, good)
        refused += found is None
        mend(files)
    assert outcome(bundle, pinned) == good
    assert refused > DAMAGES // 2
    counted(f"{DAMAGES} damages to metadata, {refused} refused, the others without a meaning: {said(kinds)}")


def test_a_damaged_bundle_that_is_loaded_unverified_puts_nothing_wrong_into_the_registry(
    up: Upside, counted: Callable[[str], None]
) -> None:
    """What it held is then loaded from a whole bundle, and only that."""
    bundle = up.directory / "unverified"
    made = create(up.order(bundle.name), Silent())
    wanted = {d.digest for e in made.contents.entries for d in made.layout.walk(made.descriptor(e))}
    files, chance, refused = whole_files(bundle), random.Random("loaded"), 0
    blobs = [p for p in files if p.parent.name == "sha256"]
    with serving() as inside:
        internal = Internal(Client(), plain=True)
        for n in range(LOADED):
            damage(bundle, chance.choice(blobs), chance)
            site, registry = up.directory / f"site-{n}", f"{inside.host}/r{n}"
            try:
                refused += bool(loading.load(Bundle.open(bundle), registry, internal, site, Silent()).missing)
            except SealiftError:
                refused += 1
            held = {**inside.blobs, **{f"{r}#": m for r, m in inside.manifests.items()}}
            contents = {k: c for r, h in held.items() if r.startswith(f"r{n}/") for k, c in h.items() if ":" in k}
            assert all(digest(c) == k for k, c in contents.items())
            assert contents.keys() <= wanted
            mend(files)
            again = loading.load(Bundle.open(bundle), registry, internal, site, Silent())
            assert again.missing == []
            shutil.rmtree(site)
            inside.blobs.clear()
            inside.manifests.clear()
    assert refused == LOADED
    counted(f"{LOADED} damaged bundles loaded unverified: {refused} said so, none left anything wrong")
