"""A client that goes away in the middle of an answer: the server stops working for it."""

from __future__ import annotations

import time
from typing import Any

import openai

from smoke_tests import model_metrics
from smoke_tests.cluster import Cluster, wait_until
from smoke_tests.environment import ServedModel
from smoke_tests.evidence import Fact, Group
from smoke_tests.streaming import context_length

GROUP = Group.OPENAI
CHOICES = 16
"""Answers asked for in one request, so that all of it would take long."""
ROOM = 64
"""Tokens that the prompt may take of the context."""
SOON = 15
ATTEMPTS = 5
HELLO: list[Any] = [{"role": "user", "content": "Tell me everything."}]


def test_cancel(client: openai.OpenAI, cluster: Cluster, typical_model: ServedModel, facts: dict[str, Fact]) -> None:
    """When its client leaves in the middle of a stream, {typical_model.name} stops generating."""
    length = context_length(client)
    assert length, "the models list does not say how long the context is"
    for attempt in range(1, ATTEMPTS + 1):  # On a busy cluster all may be over before the metrics have come.
        facts["attempts"] = attempt
        before = model_metrics.work(cluster, typical_model)
        with client.chat.completions.create(
            model=typical_model.served_name,
            messages=HELLO,
            max_tokens=length - ROOM,
            n=CHOICES,
            temperature=1,
            stream=True,
            extra_body={"ignore_eos": True},
        ) as chunks:
            assert any(chunk.choices for chunk in chunks), "nothing came before the client left"
            during = model_metrics.work(cluster, typical_model)
        left = time.monotonic()
        if during.running >= before.running + CHOICES:
            break
    assert during.running >= before.running + CHOICES, f"only {during.running} answers were being generated"
    stopped = wait_until(
        lambda: model_metrics.work(cluster, typical_model).running <= before.running, seconds=SOON, every=0.2
    )
    facts["seconds until it stopped"] = round(time.monotonic() - left, 1)
    assert stopped, f"{SOON} s later it was still generating"
    asked = CHOICES * (length - ROOM)
    made = model_metrics.work(cluster, typical_model).generated - before.generated
    facts["tokens asked for"], facts["tokens generated"] = asked, made
    assert made < asked / 2, f"it generated {made} of {asked} tokens: it may as well have finished"
    since = time.monotonic()
    client.chat.completions.create(model=typical_model.served_name, messages=HELLO, max_tokens=1)
    facts["milliseconds for the next request"] = round((time.monotonic() - since) * 1000)
