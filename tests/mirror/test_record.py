"""Files that machines write: as strict as those that people write."""

from datetime import date
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pytest
from msgspec import Meta

from mirror.document import Strict, validate
from mirror.errors import BadInput
from mirror.record import FileRecord, Record


class Round(Record, frozen=True, kw_only=True, tag_field="kind", tag="round"):
    kind: ClassVar = "round"
    radius: int


class Square(Record, frozen=True, kw_only=True, tag_field="kind", tag="square"):
    kind: ClassVar = "square"
    side: int


class Box(FileRecord, frozen=True, kw_only=True):
    size: int
    words: list[str] = []
    until: date | None = None
    shape: Round | Square | None = None
    sum: Annotated[str, Meta(pattern=r"^[0-9a-f]{4}\Z")] = "0000"


@pytest.mark.parametrize("name", ["box.yaml", "box.json"])
def test_a_file_is_read_back_as_it_was_written(tmp_path: Path, name: str) -> None:
    box = Box(size=3, words=["ä", "1.10", "no"], until=date(2027, 1, 31), shape=Square(side=1))
    box.write(tmp_path / name)
    assert Box.read(tmp_path / name) == box


def test_the_version_and_the_kind_come_first() -> None:
    said = Box(size=3, shape=Round(radius=2)).data()
    assert list(said) == ["version", "size", "words", "until", "shape", "sum"]
    assert list(said["shape"].items()) == [("kind", "round"), ("radius", 2)]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("size: 1\ncolour: red", "colour"),
        ("size: big", r"\$\.size"),
        ("size: '3'", r"\$\.size"),
        ("words: []", "size"),
        ("size: 1\nwords: [1]", r"\$\.words\[0\]"),
        ("size: 1\nversion: 2", r"\$\.version"),
        ("size: 1\nshape: {kind: flat, side: 1}", r"\$\.shape\.kind"),
        ("size: 1\nshape: {kind: round, side: 1}", "radius|side"),
        ('size: 1\nsum: "00ff\\n"', r"\$\.sum"),
        ("[]", "object"),
        ("", "object"),
    ],
)
def test_a_wrong_field_is_named_with_the_fields_that_exist(text: str, named: str) -> None:
    with pytest.raises(BadInput, match=named) as e:
        Box.parse(text, "box.yaml")
    assert "version, size, words" in e.value.instead


@pytest.mark.parametrize("wrong", [{"size": "big"}, {"size": 1, "sum": "xyz"}, {"size": 1, "shape": {"kind": "flat"}}])
def test_what_could_not_be_read_is_not_written(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        Box(**wrong).write(tmp_path / "box.yaml")
    assert not list(tmp_path.iterdir())


def test_defaults_are_not_shared() -> None:
    Box(size=1).words.append("a")
    assert Box(size=1).words == []


class Shelf(Strict):
    boxes: list[Round]


def test_a_document_may_hold_records_and_says_where_one_is_wrong() -> None:
    held = validate(Shelf, {"boxes": [{"kind": "round", "radius": 1}]}, "shelf.yaml")
    assert held.boxes == [Round(radius=1)]
    assert held.model_dump(mode="json") == {"boxes": [{"kind": "round", "radius": 1}]}
    with pytest.raises(BadInput, match=r"boxes\.1: .*radius"):
        validate(Shelf, {"boxes": [{"kind": "round", "radius": 1}, {"kind": "round"}]}, "shelf.yaml")
