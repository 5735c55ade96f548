"""A client's mistakes, and whether the answer says so as OpenAI's does: the status, and an object called error."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from smoke_tests.environment import ServedModel
from smoke_tests.evidence import Fact, Group
from smoke_tests.streaming import context_length

GROUP = Group.OPENAI
HELLO = {"role": "user", "content": "Hello."}

# What is sent (a change of a right request, or bytes instead of one), the status, and what the message must name.
MISTAKES: dict[str, tuple[dict[str, Any] | bytes, int, str]] = {
    "a model that is not there": ({"model": "no-such-model"}, 404, "no-such-model"),
    "more tokens than the context holds": ({"max_tokens": 100_000_000}, 400, "max_tokens"),
    "a body that ends too soon": (b'{"model": "chat", "messages": [', 400, "JSON"),
    "a body that is no object": (b"[]", 400, "body"),
    "no messages": ({"messages": []}, 400, "message"),
    "a word where messages should be": ({"messages": "hello"}, 400, "messages"),
    "an impossible temperature": ({"temperature": -3}, 400, "temperature"),
    "a word for a number": ({"max_tokens": "many"}, 400, "max_tokens"),
}


def refusal(client: openai.OpenAI, model: ServedModel, sent: dict[str, Any] | bytes) -> openai.APIStatusError:
    right = {"model": model.served_name, "messages": [HELLO], "max_tokens": 1}
    content = sent if isinstance(sent, bytes) else json.dumps(right | sent).encode()
    options: Any = {"headers": {"content-type": "application/json"}}
    with pytest.raises(openai.APIStatusError) as raised:
        client.post("/chat/completions", content=content, cast_to=object, options=options)
    return raised.value


def message(error: openai.APIStatusError) -> str:
    """What the answer says, if it is OpenAI's in shape: ``{"error": {"message", "type", ...}}``."""
    body = error.response.json()
    told = body.get("error") if isinstance(body, dict) else None
    assert isinstance(told, dict), f"the body is not an OpenAI error: {body}"
    assert isinstance(told.get("message"), str) and told["message"], f"the error has no message: {told}"
    assert isinstance(told.get("type"), str) and told["type"], f"the error has no type: {told}"
    return str(told["message"])


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake(client: openai.OpenAI, generator: ServedModel, mistake: str, facts: dict[str, Fact]) -> None:
    """Sent {mistake}, {generator.name} answers in OpenAI's words."""
    sent, status, named = MISTAKES[mistake]
    error = refusal(client, generator, sent)
    facts["answer"] = f"HTTP {error.status_code}: {message(error)[:120]}"
    assert error.status_code == status, f"it answered HTTP {error.status_code}, not {status}: {message(error)}"
    assert named in message(error), f"the message does not name {named}: {message(error)}"


def test_long_prompt(client: openai.OpenAI, generator: ServedModel, facts: dict[str, Fact]) -> None:
    """A prompt one word longer than {generator.name} can read is refused, and the message says how long it may be."""
    length = context_length(client)
    assert length, "the models list does not say how long the context is"
    error = refusal(client, generator, {"messages": [{**HELLO, "content": "word " * (length + 1)}]})
    facts["context in tokens"], facts["answer"] = length, f"HTTP {error.status_code}"
    assert error.status_code == 400, f"it answered HTTP {error.status_code}: {message(error)}"
    assert str(length) in message(error), f"the message does not say {length}: {message(error)}"


def test_right_request(client: openai.OpenAI, generator: ServedModel) -> None:
    """The request that all mistakes are changes of is answered by {generator.name}."""
    right: Any = {"model": generator.served_name, "messages": [HELLO], "max_tokens": 1}
    assert client.post("/chat/completions", body=right, cast_to=object)
