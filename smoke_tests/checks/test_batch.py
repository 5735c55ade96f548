"""A batch file, as ``sealift batch`` answers it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import openai

from batch import file, run
from smoke_tests.environment import ServedModel
from smoke_tests.evidence import Fact, Group

GROUP = Group.OPENAI
REQUESTS = 40
AT_ONCE = 8
WRONG = 7
"""The one request that asks for a model which is not there."""


def lines(model: ServedModel) -> str:
    def request(number: int) -> dict[str, Any]:
        served = "no-such-model" if number == WRONG else model.served_name
        body = {"model": served, "prompt": f"Number {number}:", "max_tokens": 4, "seed": number, "echo": True}
        return {"custom_id": f"request-{number}", "method": "POST", "url": "/v1/completions", "body": body}

    return "".join(json.dumps(request(n)) + "\n" for n in range(REQUESTS))


def test_batch_file(client: openai.OpenAI, typical_model: ServedModel, tmp_path: Path, facts: dict[str, Fact]) -> None:
    """Of a batch file every line is answered by {typical_model.name} under its own name, also the one that is wrong."""
    asked, answered = tmp_path / "batch.jsonl", tmp_path / "results.jsonl"
    asked.write_text(lines(typical_model), encoding="utf-8")
    run.run(file.read(asked), lambda r: run.ask(client, r), answered, at_once=AT_ONCE)
    results = file.read_results(answered)
    facts["requests"], facts["succeeded"] = REQUESTS, sum(r.succeeded for r in results.values())
    assert list(results) == [f"request-{n}" for n in range(REQUESTS)], "not every line has a result, in its order"
    for number, result in enumerate(results.values()):
        assert result.response, f"{result.custom_id} has no answer: {result.error}"
        if number == WRONG:
            assert result.response.status_code == 404, f"the wrong one was answered {result.response.status_code}"
        else:
            text = result.response.body["choices"][0]["text"]
            assert text.startswith(f"Number {number}:"), f"{result.custom_id} has another's answer: {text}"
