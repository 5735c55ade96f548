"""A bundle in parts is signed through its list of parts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mirror.bundle import Bundle
from mirror.bundle_create import Order, create
from mirror.errors import Untrusted
from mirror.parts import SMALLEST
from mirror.progress import Silent
from mirror.registry import Upstream
from mirror.signing.release import small_files

from ..conftest import People

if TYPE_CHECKING:
    from conftest import World


@pytest.fixture
def parts(world: World, tmp_path: Path) -> Path:
    order = Order(world.lock_file, tmp_path / "parts", Upstream(world.source_map), world.source_map, part_size=SMALLEST)
    create(order, Silent())
    return tmp_path / "parts"


def test_a_bundle_in_parts_is_signed_and_still_opens(parts: Path, people: People) -> None:
    made = people.sign(parts, 3)
    assert "parts.json" in made.files
    assert people.trust().verify(parts).version == 3
    assert Bundle.open(parts).lock


def test_another_list_of_parts_is_refused(parts: Path, people: People) -> None:
    people.sign(parts, 3)
    text = (parts / "parts.json").read_text()
    (parts / "parts.json").write_text(text + " ")
    with pytest.raises(Untrusted, match="mixed or changed"):
        people.trust().verify(parts)


def test_nothing_large_lies_where_it_would_be_read_for_a_signature(parts: Path) -> None:
    assert sum(f.stat().st_size for f in small_files(parts)) < 1 << 16
