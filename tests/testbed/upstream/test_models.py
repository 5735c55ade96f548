"""The stand-in models."""

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from mirror.catalog import Catalog, HubSource
from testbed.upstream import chat_model, embedding_model, models
from testbed.upstream.models import STAND_INS, StandIn

LICENCE = Path("/usr/share/common-licenses/Apache-2.0")
each = pytest.mark.parametrize("stand_in", STAND_INS, ids=lambda s: s.repository)


@pytest.fixture(scope="module")
def licence() -> str:
    return LICENCE.read_text()


def header(directory: Path) -> tuple[dict[str, Any], int]:
    data = (directory / "model.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    found: dict[str, Any] = json.loads(data[8 : 8 + length])
    found.pop("__metadata__")
    return found, len(data) - 8 - length


@each
def test_a_model_is_the_same_bytes_every_time(stand_in: StandIn, tmp_path: Path, licence: str) -> None:
    for name in ("one", "two"):
        stand_in.write(tmp_path / name, licence)
    files = [p.relative_to(tmp_path / "one") for p in (tmp_path / "one").rglob("*") if p.is_file()]
    assert files
    assert all((tmp_path / "one" / f).read_bytes() == (tmp_path / "two" / f).read_bytes() for f in files)


@each
def test_every_file_can_be_read_by_every_user(stand_in: StandIn, tmp_path: Path, licence: str) -> None:
    stand_in.write(tmp_path, licence)
    assert {p.stat().st_mode & 0o777 for p in tmp_path.rglob("*") if p.is_file()} == {0o644}


@each
def test_the_weights_fill_their_file_without_a_gap(stand_in: StandIn, tmp_path: Path, licence: str) -> None:
    stand_in.write(tmp_path, licence)
    tensors, size = header(tmp_path)
    end = 0
    for tensor in tensors.values():
        assert tensor["data_offsets"][0] == end
        count = 1
        for n in tensor["shape"]:
            count *= n
        end = tensor["data_offsets"][1]
        assert end - tensor["data_offsets"][0] == 2 * count
    assert size == end


@each
def test_the_vocabulary_is_as_large_as_the_weights_say(stand_in: StandIn, tmp_path: Path, licence: str) -> None:
    stand_in.write(tmp_path, licence)
    tokenizer = json.loads((tmp_path / "tokenizer.json").read_text())["model"]
    config = json.loads((tmp_path / "config.json").read_text())
    assert sorted(tokenizer["vocab"].values()) == list(range(config["vocab_size"]))
    tensors, _ = header(tmp_path)
    assert any(t["shape"] == [config["vocab_size"], config["hidden_size"]] for t in tensors.values())


def test_every_merge_of_the_chat_models_tokenizer_is_in_its_vocabulary(tmp_path: Path, licence: str) -> None:
    chat_model.write(tmp_path, licence)
    tokenizer = json.loads((tmp_path / "tokenizer.json").read_text())["model"]
    assert all("".join(pair) in tokenizer["vocab"] for pair in tokenizer["merges"])


def test_the_embedding_model_lists_its_vocabulary_in_the_order_of_its_tokenizer(tmp_path: Path, licence: str) -> None:
    embedding_model.write(tmp_path, licence)
    words = (tmp_path / "vocab.txt").read_text().splitlines()
    assert json.loads((tmp_path / "tokenizer.json").read_text())["model"]["vocab"] == {
        w: i for i, w in enumerate(words)
    }


@each
def test_a_model_says_that_it_is_a_stand_in_and_under_which_licence(
    stand_in: StandIn, tmp_path: Path, licence: str
) -> None:
    stand_in.write(tmp_path, licence)
    assert "not the weights" in (tmp_path / "README.md").read_text()
    assert f"license: {stand_in.licence}" in (tmp_path / "README.md").read_text()


def test_there_is_a_stand_in_for_every_model_of_the_catalog_at_its_commit() -> None:
    sources = [m.source for m in Catalog.load(Path(__file__).parents[3] / "catalog").models]
    wanted = {(s.repo, s.revision) for s in sources if isinstance(s, HubSource)}
    assert {(s.repository, s.commit) for s in STAND_INS} == wanted


def test_writing_all_models_leaves_nothing_half_written(tmp_path: Path, licence: str) -> None:
    (tmp_path / "models.partial" / "left").mkdir(parents=True)
    models.write(tmp_path / "models", licence)
    assert [p.name for p in tmp_path.iterdir()] == ["models"]
    assert all((tmp_path / "models" / s.repository / "config.json").is_file() for s in STAND_INS)
