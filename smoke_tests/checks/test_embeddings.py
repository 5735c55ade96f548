"""Embeddings, as a search index would ask for them."""

from __future__ import annotations

import math

import openai
import pytest

from smoke_tests.environment import ServedModel
from smoke_tests.evidence import Fact, Group
from smoke_tests.streaming import context_length

GROUP = Group.OPENAI
TEXTS = [
    "Models cross the gap as images.",
    "A cat sits on a mat.",
    "The quick brown fox jumps over the lazy dog.",
    "Every wall needs a door.",
]
CLOSE = 1e-3
"""How far two vectors of the same text may be apart in any dimension: arithmetic in another order rounds otherwise."""


def vectors(client: openai.OpenAI, model: ServedModel, texts: list[str]) -> list[list[float]]:
    found = [d.embedding for d in client.embeddings.create(model=model.served_name, input=texts).data]
    assert len(found) == len(texts), f"{len(texts)} texts were sent, {len(found)} vectors came"
    return found


def apart(one: list[float], other: list[float]) -> float:
    """The greatest difference in any dimension."""
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def test_batch(client: openai.OpenAI, embedder: ServedModel, facts: dict[str, Fact]) -> None:
    """{embedder.name} embeds several texts at once as it embeds each alone, and each time alike."""
    together = vectors(client, embedder, TEXTS)
    again = vectors(client, embedder, TEXTS)
    alone = [vectors(client, embedder, [text])[0] for text in TEXTS]
    facts["dimensions"] = len(together[0])
    assert len({len(v) for v in together}) == 1, "the vectors have different lengths"
    facts["greatest difference between two runs"] = max(map(apart, together, again))
    facts["greatest difference between together and alone"] = max(map(apart, together, alone))
    assert max(map(apart, together, again)) < CLOSE, "the same texts have other vectors the second time"
    assert max(map(apart, together, alone)) < CLOSE, "a text has another vector in company than alone"


def test_order(client: openai.OpenAI, embedder: ServedModel) -> None:
    """{embedder.name} gives every text its own vector, at the text's own place."""
    forward, backward = vectors(client, embedder, TEXTS), vectors(client, embedder, TEXTS[::-1])
    assert max(map(apart, forward, backward[::-1])) < CLOSE, "turned round, the texts have other vectors"
    for i, one in enumerate(forward):
        for other in forward[i + 1 :]:
            assert apart(one, other) > CLOSE, "two texts have the same vector"


def test_length(client: openai.OpenAI, embedder: ServedModel, facts: dict[str, Fact]) -> None:
    """The vectors of {embedder.name} are of length one, so that a product of two is their likeness."""
    lengths = [math.sqrt(sum(x * x for x in v)) for v in vectors(client, embedder, TEXTS)]
    facts["lengths"] = [f"{x:.4f}" for x in lengths]
    assert all(abs(x - 1) < 0.01 for x in lengths), f"the lengths are {lengths}"


def test_usage(client: openai.OpenAI, embedder: ServedModel) -> None:
    """{embedder.name} counts the tokens of all texts."""
    one = client.embeddings.create(model=embedder.served_name, input=TEXTS[0]).usage
    both = client.embeddings.create(model=embedder.served_name, input=[TEXTS[0], TEXTS[0]]).usage
    assert both.prompt_tokens == 2 * one.prompt_tokens > 0, f"{both.prompt_tokens} is not twice {one.prompt_tokens}"


def test_too_long(client: openai.OpenAI, embedder: ServedModel, facts: dict[str, Fact]) -> None:
    """A text that is longer than {embedder.name} can read is refused, not cut in silence."""
    length = context_length(client)
    assert length, "the models list does not say how long the context is"
    with pytest.raises(openai.BadRequestError) as raised:
        client.embeddings.create(model=embedder.served_name, input="word " * (length + 1))
    facts["context in tokens"] = length
    facts["answer"] = f"HTTP {raised.value.status_code}"
