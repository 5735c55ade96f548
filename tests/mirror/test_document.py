import stat
from pathlib import Path

import pytest

from mirror.atomic import write_atomically
from mirror.document import FileModel
from mirror.errors import BadInput
from mirror.text import merged


class Box(FileModel):
    size: int
    words: list[str] = []


@pytest.mark.parametrize("name", ["box.yaml", "box.json"])
def test_a_file_is_read_back_as_it_was_written(tmp_path: Path, name: str) -> None:
    box = Box(size=3, words=["ä", "1.10", "no"])
    box.write(tmp_path / name)
    assert Box.read(tmp_path / name) == box


def test_an_unknown_field_is_refused_by_its_name() -> None:
    with pytest.raises(BadInput, match="colour"):
        Box.parse("size: 1\ncolour: red", "box.yaml")


def test_a_wrong_field_is_named_with_the_fields_that_exist() -> None:
    with pytest.raises(BadInput, match="size") as e:
        Box.parse("size: big", "box.yaml")
    assert "words" in e.value.instead


@pytest.mark.parametrize(("text", "name"), [("a: [", "x.yaml"), ("{", "x.json")])
def test_a_file_that_is_not_well_formed_is_refused(text: str, name: str) -> None:
    with pytest.raises(BadInput, match="well-formed"):
        Box.parse(text, name)


def test_a_missing_file_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="No such file"):
        Box.read(tmp_path / "none.yaml")


def test_writing_leaves_nothing_beside_the_file_and_lets_others_read_it(tmp_path: Path) -> None:
    write_atomically(tmp_path / "deep" / "f", "text")
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["f"]
    assert stat.S_IMODE((tmp_path / "deep" / "f").stat().st_mode) == 0o644


def test_a_write_that_fails_keeps_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(tmp_path / "f", "\ud800")
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("f", "old")]


def test_values_are_merged_by_mapping_and_replaced_otherwise() -> None:
    base = {"a": {"b": 1, "c": [1]}, "d": 1}
    assert merged(base, {"a": {"c": [2]}, "d": {"e": 1}}) == {"a": {"b": 1, "c": [2]}, "d": {"e": 1}}
    assert base["a"] == {"b": 1, "c": [1]}


@pytest.mark.parametrize("name", ["deep.yaml", "deep.json"])
def test_a_file_that_is_nested_without_end_is_bad_input(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("[" * 100_000)
    with pytest.raises(BadInput, match="not well-formed"):
        Box.read(tmp_path / name)


def test_brackets_in_text_are_not_nesting(tmp_path: Path) -> None:
    (tmp_path / "box.yaml").write_text("# " + "[" * 5_000 + "\nsize: 3\n")
    assert Box.read(tmp_path / "box.yaml").size == 3


def test_a_file_that_is_no_text_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "box.yaml").write_bytes(b"size: 3\nwords: [\xff]\n")
    with pytest.raises(BadInput, match="it is no text"):
        Box.read(tmp_path / "box.yaml")
