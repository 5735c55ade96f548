"""The lines of batch files and their results."""

import json
from pathlib import Path
from typing import Any

import pytest

from batch import file
from batch.file import Failure, Response, Result
from mirror.errors import BadInput


def line(**changes: Any) -> str:  # noqa: ANN401 - any JSON value
    right = {"custom_id": "a", "method": "POST", "url": "/v1/embeddings", "body": {"model": "m", "input": "x"}}
    return json.dumps(right | changes)


def written(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def test_every_line_is_a_request_and_empty_ones_are_left_out(tmp_path: Path) -> None:
    found = file.read(written(tmp_path / "batch.jsonl", line(), "", line(custom_id="b", url="/v1/completions")))
    assert [(r.custom_id, r.url) for r in found] == [("a", "/v1/embeddings"), ("b", "/v1/completions")]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("{", "line 2"),
        (line(url="/v1/files"), "url"),
        (line(method="GET"), "method"),
        (line(body=None), "body"),
        (line(custom_id=""), "custom_id"),
        (line(), "custom_id 'a' is there already"),
    ],
    ids=["not JSON", "another endpoint", "another method", "no body", "no name", "the same name again"],
)
def test_a_line_that_is_no_request_is_named(wrong: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=told) as raised:
        file.read(written(tmp_path / "batch.jsonl", line(), wrong))
    assert "line 2" in raised.value.given


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xff\xfe"], ids=["empty", "blank", "not text"])
def test_a_file_without_requests_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "batch.jsonl").write_bytes(content)
    with pytest.raises(BadInput):
        file.read(tmp_path / "batch.jsonl")


def test_results_come_back_as_they_were_written_but_for_a_line_cut_short(tmp_path: Path) -> None:
    one = Result(id="1", custom_id="a", response=Response(status_code=200, request_id="r", body={"text": "grüß"}))
    two = Result(id="2", custom_id="b", error=Failure(code="APIConnectionError", message="refused"))
    path = tmp_path / "results.jsonl"
    path.write_text(file.text([one, two]) + file.text([one])[:20])
    assert file.read_results(path) == {"a": one, "b": two}


@pytest.mark.parametrize(
    ("status", "succeeded", "final"),
    [(200, True, True), (400, False, True), (404, False, True), (429, False, False), (503, False, False)],
)
def test_what_may_go_better_the_next_time_is_not_final(status: int, succeeded: bool, final: bool) -> None:
    result = Result(id="1", custom_id="a", response=Response(status_code=status, request_id="", body={}))
    assert (result.succeeded, result.final) == (succeeded, final)
