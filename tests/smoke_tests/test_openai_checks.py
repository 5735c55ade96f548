"""The checks of the OpenAI interface, made of a client whose answers are right, and then wrong in one way each."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2
import openai
import pytest
from openai.types import Completion, CreateEmbeddingResponse
from openai.types.chat import ChatCompletion
from pydantic import ValidationError

from smoke_tests import model_metrics
from smoke_tests.checks import test_batch as batch_checks
from smoke_tests.checks import test_cancel as cancel_checks
from smoke_tests.checks import test_embeddings as embedding_checks
from smoke_tests.checks import test_errors as error_checks
from smoke_tests.checks import test_many as many_checks
from smoke_tests.checks import test_structured as structured_checks
from smoke_tests.environment import ServedModel
from smoke_tests.model_metrics import Work

MODEL = ServedModel(
    name="m",
    namespace="models",
    mode="Standard",
    url="https://m.test/v1",
    served_name="m",
    service="m-predictor.models",
    scale_to_zero=False,
    tools=True,
)
ENVIRONMENT: Any = SimpleNamespace(outputs=SimpleNamespace(access=SimpleNamespace(tenants=[], mode="open")))
CLUSTER: Any = None


def vector(text: str) -> list[float]:
    """Two numbers on the unit circle, by a hash of the text."""
    angle = hashlib.sha256(text.encode()).digest()[0] / 41
    return [math.cos(angle), math.sin(angle)]


class Client:
    """As much of the client as the checks use; ``spoil`` changes what comes back."""

    def __init__(self, spoil: Callable[[Any], Any] = lambda answer: answer, **answers: Any) -> None:  # noqa: ANN401
        self.spoil, self.answers = spoil, answers
        self.embeddings = SimpleNamespace(create=self.embed)
        self.completions = SimpleNamespace(create=self.complete)
        self.chat = SimpleNamespace(completions=SimpleNamespace(create=self.talk))
        self.models = SimpleNamespace(
            list=lambda: SimpleNamespace(data=[SimpleNamespace(model_extra={"max_model_len": 2048})])
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def embed(self, model: str, input: str | list[str]) -> Any:  # noqa: ANN401
        texts = [input] if isinstance(input, str) else input
        vectors = self.spoil([vector(t) for t in texts])
        data = [{"object": "embedding", "index": i, "embedding": v} for i, v in enumerate(vectors)]
        usage = {"prompt_tokens": len(texts), "total_tokens": len(texts)}
        return CreateEmbeddingResponse.model_validate({"object": "list", "model": model, "data": data, "usage": usage})

    def complete(self, prompt: str, seed: int, **_: Any) -> Any:  # noqa: ANN401
        text = self.spoil(f"{prompt} {hashlib.sha256(f'{prompt}{seed}'.encode()).hexdigest()}")
        choice = {"index": 0, "finish_reason": "length", "text": text}
        whole = {"id": "1", "object": "text_completion", "created": 1, "model": "m", "choices": [choice]}
        return Completion.model_validate(whole)

    def talk(self, **asked: Any) -> Any:  # noqa: ANN401
        if asked.get("stream"):
            return nullcontext(iter([SimpleNamespace(choices=[1])]))
        arguments = self.answers.get("arguments", '{"city": "Oslo", "unit": "celsius"}')
        function = {"name": self.answers.get("function", "get_weather"), "arguments": arguments}
        message: dict[str, Any] = {"role": "assistant", "content": self.answers.get("content")}
        if self.answers.get("calls", True):
            message["tool_calls"] = [{"id": "1", "type": "function", "function": function}]
        choice = {"index": 0, "finish_reason": "tool_calls", "message": message}
        whole = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
        return ChatCompletion.model_validate(whole)


def client(spoil: Callable[[Any], Any] = lambda answer: answer, **answers: Any) -> Any:  # noqa: ANN401
    return Client(spoil, **answers)


EMBEDDING_CHECKS = [embedding_checks.test_batch, embedding_checks.test_length]


def test_right_vectors_pass_and_are_told() -> None:
    for check in EMBEDDING_CHECKS:
        facts: dict[str, Any] = {}
        check(client(), MODEL, facts)
        assert facts
    embedding_checks.test_order(client(), MODEL)


def drifting() -> Callable[[Any], Any]:
    count = iter(range(100))
    return lambda vectors: [[x + 0.01 * next(count) for x in v] for v in vectors]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda vectors: vectors[:-1], "texts were sent"),
        (drifting(), "the second time"),
        (lambda vectors: vectors if len(vectors) == 1 else vectors[::-1], "in company"),
    ],
    ids=["one is missing", "never twice the same", "in another order"],
)
def test_wrong_vectors_fail(spoil: Callable[[Any], Any], said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        embedding_checks.test_batch(client(spoil), MODEL, {})


def test_one_vector_for_all_texts_fails() -> None:
    with pytest.raises(AssertionError, match="the same vector"):
        embedding_checks.test_order(client(lambda vectors: [[1.0, 0.0] for _ in vectors]), MODEL)


def test_vectors_of_another_length_fail() -> None:
    with pytest.raises(AssertionError, match="lengths"):
        embedding_checks.test_length(client(lambda vectors: [[2 * x for x in v] for v in vectors]), MODEL, {})


@pytest.fixture
def through(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Lets the checks of many clients have this client for each of them."""
    return lambda made: monkeypatch.setattr(many_checks, "openai_client", lambda *_, **__: made)


def test_own_answers_pass(through: Callable[[Any], None]) -> None:
    through(client())
    facts: dict[str, Any] = {}
    many_checks.test_completions_at_once(ENVIRONMENT, client(), MODEL, facts)
    assert facts["the same as alone"] == facts["answers that are unlike all others"] == many_checks.AT_ONCE


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda text: text.replace("Question 0", "Question 919"), "another's question"),
        (lambda text: f"{text} and more", r"only 0 of 50"),
    ],
    ids=["one gets another's", "other than alone"],
)
def test_answers_that_are_not_ones_own_fail(
    spoil: Callable[[Any], Any], said: str, through: Callable[[Any], None]
) -> None:
    through(client(spoil))
    with pytest.raises(AssertionError, match=said):
        many_checks.test_completions_at_once(ENVIRONMENT, client(), MODEL, {})


def test_anothers_vector_fails(through: Callable[[Any], None]) -> None:
    through(client(lambda vectors: [vector(many_checks.question(7))]))
    with pytest.raises(AssertionError, match="nearer to another's"):
        many_checks.test_embeddings_at_once(ENVIRONMENT, client(), MODEL, {})


def test_a_call_of_the_right_tool_passes_and_is_told() -> None:
    facts: dict[str, Any] = {}
    structured_checks.test_tool(client(), MODEL, "required", facts)
    assert facts


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ({"calls": False}, AssertionError),
        ({"function": "rm"}, AssertionError),
        ({"arguments": '{"city": "Oslo"}'}, ValidationError),
        ({"arguments": '{"city": "Oslo", "unit": "kelvin"}'}, ValidationError),
        ({"arguments": "false"}, ValidationError),
    ],
    ids=["none is called", "another is called", "something is missing", "not one of the enum", "no object"],
)
def test_a_wrong_call_fails(answers: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        structured_checks.test_tool(client(**answers), MODEL, "required", {})


def refused(status: int, body: object) -> openai.APIStatusError:
    response = httpx2.Response(status, json=body, request=httpx2.Request("POST", "https://m.test/v1"))
    return openai.APIStatusError("refused", response=response, body=body)


@pytest.mark.parametrize(
    "body",
    [
        {"detail": "Not Found"},
        {"error": "text"},
        {"error": {"message": "", "type": "x"}},
        {"error": {"message": "x"}},
        [],
    ],
)
def test_an_error_in_another_shape_fails(body: object) -> None:
    with pytest.raises(AssertionError):
        error_checks.message(refused(404, body))


def test_an_error_in_openais_shape_is_read() -> None:
    assert error_checks.message(refused(404, {"error": {"message": "no such model", "type": "x"}})) == "no such model"


def works(*seen: Work) -> Callable[..., Work]:
    steps: Iterator[Work] = iter([*seen, *[seen[-1]] * 1000])
    return lambda *_: next(steps)


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ([Work(0, 0), Work(0, 40), Work(0, 40)], "only 0 answers"),
        ([Work(0, 0), Work(16, 40), Work(16, 99_999)], "still generating"),
        ([Work(0, 0), Work(16, 40), Work(0, 31_000)], "may as well have finished"),
    ],
    ids=["never began", "never stops", "went on to the end"],
)
def test_a_server_that_goes_on_for_nobody_fails(seen: list[Work], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cancel_checks, "SOON", 0.1)
    monkeypatch.setattr(model_metrics, "work", works(*seen))
    with pytest.raises(AssertionError, match=said):
        cancel_checks.test_cancel(client(), CLUSTER, MODEL, {})


def test_a_server_that_stops_passes_and_its_work_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_metrics, "work", works(Work(0, 0), Work(16, 40), Work(3, 60), Work(0, 64)))
    facts: dict[str, Any] = {}
    cancel_checks.test_cancel(client(), CLUSTER, MODEL, facts)
    assert facts


class Posting:
    """A client that answers batches; ``shift`` gives each the answer of another."""

    def __init__(self, shift: int) -> None:
        self.shift = shift

    def post(self, path: str, *, body: dict[str, Any], cast_to: object) -> httpx2.Response:
        if body["model"] != "m":
            raise refused(404, {"error": {"message": "no", "type": "x"}})
        number = int(body["prompt"].removeprefix("Number ").rstrip(":")) + self.shift
        return httpx2.Response(200, json={"choices": [{"text": f"Number {number}: x"}]})


def test_a_batch_passes_only_if_each_line_has_its_own_answer(tmp_path: Path) -> None:
    right: Any = Posting(0)
    batch_checks.test_batch_file(right, MODEL, tmp_path, {})
    wrong: Any = Posting(1)
    with pytest.raises(AssertionError, match="another's answer"):
        batch_checks.test_batch_file(wrong, MODEL, tmp_path, {})
