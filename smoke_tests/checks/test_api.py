"""The OpenAI API as a client outside the cluster sees it."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

import openai
import pytest

from smoke_tests import changes, streaming
from smoke_tests.cluster import Cluster
from smoke_tests.environment import Environment, ServedModel
from smoke_tests.evidence import Fact, Group
from smoke_tests.gateway import openai_client
from smoke_tests.streaming import Stream

GROUP = Group.API
ATTEMPTS = 6
HELLO: list[Any] = [{"role": "user", "content": "Say hello."}]


def milliseconds(since: float) -> int:
    return round((time.monotonic() - since) * 1000)


def test_models_list(client: openai.OpenAI, model: ServedModel, facts: dict[str, Fact]) -> None:
    """The models list of {model.name} names {model.served_name}."""
    since = time.monotonic()
    names = [m.id for m in client.models.list()]
    facts["milliseconds"] = milliseconds(since)
    assert model.served_name in names, f"the list names {names}"


def test_chat(client: openai.OpenAI, generator: ServedModel, facts: dict[str, Fact]) -> None:
    """{generator.name} answers a chat, and the tokens it counts are the tokens it was asked for."""
    since = time.monotonic()
    answer = client.chat.completions.create(
        model=generator.served_name, messages=HELLO, max_tokens=16, temperature=0, extra_body={"ignore_eos": True}
    )
    facts["milliseconds"] = milliseconds(since)
    assert answer.choices[0].message.content, "the answer has no text"
    assert answer.choices[0].finish_reason == "length", f"it ended by {answer.choices[0].finish_reason}, not by length"
    usage = answer.usage
    assert usage, "the answer counts no tokens"
    facts["prompt tokens"], facts["completion tokens"] = usage.prompt_tokens, usage.completion_tokens
    assert usage.completion_tokens == 16, f"16 tokens were asked for, {usage.completion_tokens} counted"
    assert usage.prompt_tokens > 0, "no prompt tokens were counted"
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens, "the total is not the sum"


def test_completion(client: openai.OpenAI, generator: ServedModel, facts: dict[str, Fact]) -> None:
    """{generator.name} answers the older completions call."""
    since = time.monotonic()
    answer = client.completions.create(model=generator.served_name, prompt="Hello", max_tokens=8, temperature=0)
    facts["milliseconds"] = milliseconds(since)
    assert answer.choices, "no completion came back"
    assert answer.usage and answer.usage.completion_tokens > 0, "no tokens were counted"


def arrivals(client: openai.OpenAI, model: ServedModel) -> list[float]:
    """Seconds from the request to each chunk of text of one answer of 128 tokens; checks the count that comes last."""
    times: list[float] = []
    usage = None
    since = time.monotonic()
    with client.chat.completions.create(
        model=model.served_name,
        messages=HELLO,
        max_tokens=128,
        stream=True,
        stream_options={"include_usage": True},
        extra_body={"ignore_eos": True},
    ) as chunks:
        for chunk in chunks:
            usage = chunk.usage or usage
            if chunk.choices and chunk.choices[0].delta.content:
                times.append(time.monotonic() - since)
    assert len(times) > 8, f"only {len(times)} chunks carried text"
    assert usage and usage.completion_tokens == 128, f"128 tokens were asked for, the stream's count is {usage}"
    return times


def test_streaming(client: openai.OpenAI, generator: ServedModel, facts: dict[str, Fact]) -> None:
    """{generator.name} streams: tokens arrive one after the other, not all at the end."""
    # A busy machine can make a quick answer look held back, but not each time; what holds back does so each time.
    for attempt in range(1, ATTEMPTS + 1):
        times = arrivals(client, generator)
        spread = (times[-1] - times[0]) / times[-1]
        facts["chunks"], facts["attempts"] = len(times), attempt
        if spread > 0.1:
            break
    facts["milliseconds to the first token"] = round(times[0] * 1000)
    facts["milliseconds in all"] = round(times[-1] * 1000)
    assert spread > 0.1, f"all chunks came within the last {spread:.0%} of the time: they are held back"


def watched(environment: Environment, model: ServedModel) -> Stream:
    with openai_client(environment, model) as client:
        return streaming.last_for(client, model.served_name, seconds=streaming.A_MINUTE + streaming.MARGIN)


@dataclass(frozen=True)
class LongStreams:
    """Streams by the name of their model, and how often the gateway's policies changed meanwhile."""

    streams: dict[str, Future[Stream]]
    changes: int


@pytest.fixture(scope="session")
def long_streams(environment: Environment, cluster: Cluster, typical_models: list[ServedModel]) -> LongStreams:
    """One stream of each serving mode, all at the same time: each lasts longer than a minute."""
    with changes.changing(cluster) as made, ThreadPoolExecutor() as pool:
        streams = {m.name: pool.submit(watched, environment, m) for m in typical_models}
        wait(streams.values())
    return LongStreams(streams, len(made))


def test_long_stream(long_streams: LongStreams, typical_model: ServedModel, facts: dict[str, Fact]) -> None:
    """A stream from {typical_model.name} ({typical_model.mode} mode) outlasts a minute and changes of policies."""
    stream = long_streams.streams[typical_model.name].result()
    facts["changes of the gateway's policies"] = long_streams.changes
    facts["seconds watched"] = round(stream.seconds, 1)
    facts["chunks"] = stream.chunks
    facts["answers at once"] = stream.choices
    facts["longest silence in seconds"] = round(stream.longest_silence, 1)
    assert long_streams.changes >= changes.LEAST, "the policies hardly changed"
    assert stream.seconds > streaming.A_MINUTE, f"it was over after {stream.seconds:.0f} s"


def test_unknown_model(client: openai.OpenAI, generator: ServedModel, facts: dict[str, Fact]) -> None:
    """Asked for a model that it does not serve, {generator.name} says 404 in the API's own error shape."""
    assert generator.served_name in [m.id for m in client.models.list()], "the model that it serves is not there either"
    with pytest.raises(openai.APIStatusError) as raised:
        client.chat.completions.create(model="no-such-model", messages=HELLO, max_tokens=1)
    facts["answer"] = f"HTTP {raised.value.status_code}"
    assert raised.value.status_code == 404, f"it answered HTTP {raised.value.status_code}"
    body = raised.value.body
    assert isinstance(body, dict) and body.get("message"), f"the body is not an OpenAI error: {body}"
    assert "no-such-model" in body["message"], f"the error does not say which model: {body['message']}"
