"""The stand-in model."""

import json
import struct
from pathlib import Path

from testbed.upstream import model


def test_the_model_is_the_same_bytes_every_time(tmp_path: Path) -> None:
    for name in ("one", "two"):
        model.write(tmp_path / name, "licence")
    files = sorted(p.name for p in (tmp_path / "one").iterdir())
    assert all((tmp_path / "one" / f).read_bytes() == (tmp_path / "two" / f).read_bytes() for f in files)


def test_every_file_can_be_read_by_every_user(tmp_path: Path) -> None:
    model.write(tmp_path, "licence")
    assert {p.stat().st_mode & 0o777 for p in tmp_path.iterdir()} == {0o644}


def test_the_weights_fill_their_file_without_a_gap(tmp_path: Path) -> None:
    model.write(tmp_path, "licence")
    data = (tmp_path / "model.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__")
    end = 0
    for tensor in header.values():
        assert tensor["data_offsets"][0] == end
        count = 1
        for n in tensor["shape"]:
            count *= n
        end = tensor["data_offsets"][1]
        assert end - tensor["data_offsets"][0] == 2 * count
    assert len(data) == 8 + length + end


def test_the_vocabulary_is_as_large_as_the_weights_say_and_holds_every_merge(tmp_path: Path) -> None:
    model.write(tmp_path, "licence")
    tokenizer = json.loads((tmp_path / "tokenizer.json").read_text())["model"]
    config = json.loads((tmp_path / "config.json").read_text())
    assert sorted(tokenizer["vocab"].values()) == list(range(config["vocab_size"]))
    assert all("".join(pair) in tokenizer["vocab"] for pair in tokenizer["merges"])


def test_the_model_says_that_it_is_a_stand_in(tmp_path: Path) -> None:
    model.write(tmp_path, "licence")
    assert "not the weights" in (tmp_path / "README.md").read_text()
    assert "license: apache-2.0" in (tmp_path / "README.md").read_text()
