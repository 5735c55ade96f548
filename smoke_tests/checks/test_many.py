"""Many clients at once: each gets its own answer, and nobody else's."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

import openai

from smoke_tests.environment import Environment, ServedModel
from smoke_tests.evidence import Fact, Group
from smoke_tests.gateway import openai_client

GROUP = Group.OPENAI
AT_ONCE = 50
ENOUGH = 4 * AT_ONCE
"""Requests a minute of a tenant that can take part beside what else it does."""
TOKENS = 12
Answer = TypeVar("Answer")
Ask = Callable[[openai.OpenAI, ServedModel, int], Answer]


def question(number: int) -> str:
    return f"Question {number * 7919 % 1000}: what is {number} times {number + 3}?"


def completion(client: openai.OpenAI, model: ServedModel, number: int) -> str:
    """Question and answer. The seed is the question's own, so that it has one answer and no two have the same."""
    answer = client.completions.create(
        model=model.served_name,
        prompt=question(number),
        max_tokens=TOKENS,
        temperature=1,
        seed=number,
        extra_body={"echo": True, "ignore_eos": True},
    )
    return answer.choices[0].text


def embedding(client: openai.OpenAI, model: ServedModel, number: int) -> list[float]:
    return client.embeddings.create(model=model.served_name, input=question(number)).data[0].embedding


def tenants(environment: Environment, model: ServedModel) -> list[str | None]:
    """All that may call ``model`` often enough; where the gateway asks nobody who he is, nobody in particular."""
    may = [t for t in environment.outputs.access.tenants if model.key in t.models]
    return [t.name for t in may if t.requests_per_minute >= ENOUGH] or [None]


def at_once(environment: Environment, model: ServedModel, ask: Ask[Answer]) -> list[Answer]:
    """The answers to AT_ONCE questions, asked together by as many clients, each with a connection; tenants in turn."""
    start, callers = Barrier(AT_ONCE), tenants(environment, model)

    def one(number: int) -> Answer:
        with openai_client(environment, model, tenant=callers[number % len(callers)]) as client:
            start.wait(60)
            return ask(client, model, number)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, range(AT_ONCE)))


def test_completions_at_once(
    environment: Environment, client: openai.OpenAI, typical_model: ServedModel, facts: dict[str, Fact]
) -> None:
    """Of 50 clients that ask {typical_model.name} at once, each gets the answer that its question has alone."""
    alone = [completion(client, typical_model, n) for n in range(AT_ONCE)]
    assert all(a.startswith(question(n)) for n, a in enumerate(alone)), "an answer does not repeat its own question"
    facts["tenants"] = [t or "anybody" for t in tenants(environment, typical_model)]
    facts["answers that are unlike all others"] = len({a.removeprefix(question(n)) for n, a in enumerate(alone)})
    since = time.monotonic()
    together = at_once(environment, typical_model, completion)
    facts["seconds for all"] = round(time.monotonic() - since, 2)
    strange = [n for n, (a, t) in enumerate(zip(alone, together, strict=True)) if not t.startswith(question(n))]
    assert not strange, f"these clients got an answer to another's question: {strange}"
    facts["the same as alone"] = sum(a == t for a, t in zip(alone, together, strict=True))
    others = [n for n, t in enumerate(together) if t in alone and alone.index(t) != n]
    assert not others, f"these clients got another's answer: {others}"
    assert facts["the same as alone"] == AT_ONCE, (
        f"only {facts['the same as alone']} of {AT_ONCE} answers are their own"
    )


def test_embeddings_at_once(
    environment: Environment, client: openai.OpenAI, embedder: ServedModel, facts: dict[str, Fact]
) -> None:
    """Of 50 clients that ask {embedder.name} for a vector at once, each gets that of its own text."""
    alone = [embedding(client, embedder, n) for n in range(AT_ONCE)]
    since = time.monotonic()
    together = at_once(environment, embedder, embedding)
    facts["seconds for all"] = round(time.monotonic() - since, 2)
    nearest = [min(range(AT_ONCE), key=lambda n: _apart(alone[n], vector)) for vector in together]
    wrong = [n for n, found in enumerate(nearest) if found != n]
    assert not wrong, f"these clients got a vector that is nearer to another's text: {wrong}"
    facts["greatest difference from alone"] = max(map(_apart, alone, together))


def _apart(one: list[float], other: list[float]) -> float:
    return max(abs(a - b) for a, b in zip(one, other, strict=True))
