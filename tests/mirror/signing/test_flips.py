"""Single bits flipped at random in everything that a signature covers or is: never a wrong bundle accepted."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from mirror.errors import SealiftError
from mirror.layout import METADATA
from mirror.signing import roots
from mirror.signing.verify import Verified, verify_once

from .conftest import People

FLIPS = 200


def flipped(path: Path, chance: random.Random) -> None:
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(bytes(content))


def outcome(bundle: Path, pinned: bytes) -> Verified | SealiftError:
    try:
        return verify_once(bundle, pinned)
    except SealiftError as e:
        return e


@pytest.mark.slow
@pytest.mark.parametrize("where", ["files", "metadata"])
def test_a_flipped_bit_is_refused_or_means_nothing(people: People, where: str) -> None:
    """In metadata a bit may mean nothing: a blank between tokens, or in the root that is pinned anyway."""
    chance = random.Random(20261123)
    bundle = people.signed(3, "lock " * 50)
    pinned = roots.path(people.roots, 1).read_bytes()
    good = verify_once(bundle, pinned)
    files = [bundle / "sealift.lock", bundle / "index.json"]
    if where == "metadata":
        files = sorted((bundle / METADATA).iterdir())
    refused = 0
    for _ in range(FLIPS):
        path = chance.choice(files)
        before = path.read_bytes()
        flipped(path, chance)
        found = outcome(bundle, pinned)
        path.write_bytes(before)
        if isinstance(found, SealiftError):
            refused += 1
        else:
            assert where == "metadata"
            assert found == good
    assert refused == FLIPS if where == "files" else refused > FLIPS // 4
    assert verify_once(bundle, pinned) == good
