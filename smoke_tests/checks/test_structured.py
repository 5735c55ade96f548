"""Tools and structured output: what the client describes by a schema, the answer follows."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Any

import openai
import pytest
from pydantic import BaseModel, ConfigDict, Field

from smoke_tests.environment import ServedModel
from smoke_tests.evidence import Fact, Group

GROUP = Group.OPENAI
QUESTION: list[Any] = [{"role": "user", "content": "Is it colder in Oslo or in Bergen?"}]
ATTEMPTS = 5
ROOM = 1024
"""Tokens. A grammar allows white space without end, and a model that means nothing may choose it for long."""


class Unit(StrEnum):
    CELSIUS = "celsius"
    FAHRENHEIT = "fahrenheit"


class Weather(BaseModel):
    """The weather of a city."""

    model_config = ConfigDict(extra="forbid", strict=False)

    city: str = Field(max_length=12)
    unit: Unit


class Forecast(BaseModel):
    """What a place looks like tomorrow."""

    model_config = ConfigDict(extra="forbid")

    place: str = Field(max_length=12)
    degrees: int = Field(ge=-60, le=60)
    signs: list[Unit] = Field(min_length=1, max_length=3)


TOOL = openai.pydantic_function_tool(Weather, name="get_weather")
NAMED: Any = {"type": "function", "function": {"name": "get_weather"}}


def called(answer: Any) -> list[tuple[str, str]]:  # noqa: ANN401 - one of several of the client's types
    return [(c.function.name, c.function.arguments) for c in answer.choices[0].message.tool_calls or []]


@pytest.mark.parametrize("choice", ["required", NAMED], ids=["required", "named"])
def test_tool(client: openai.OpenAI, tool_caller: ServedModel, choice: Any, facts: dict[str, Fact]) -> None:  # noqa: ANN401
    """Told to call a tool, {tool_caller.name} calls the one that it was shown with arguments that fit its schema."""
    for attempt in range(1, ATTEMPTS + 1):
        answer = client.chat.completions.create(
            model=tool_caller.served_name,
            messages=QUESTION,
            tools=[TOOL],
            tool_choice=choice,
            max_tokens=ROOM,
            temperature=1,
            seed=attempt,
        )
        if answer.choices[0].finish_reason != "length":
            break
    calls = called(answer)
    facts["attempts"], facts["calls"] = attempt, [f"{name} {arguments}" for name, arguments in calls]
    assert calls, f"no tool was called; it ended by {answer.choices[0].finish_reason}"
    assert {name for name, _ in calls} == {"get_weather"}, "a tool was called that it was not shown"
    for _, arguments in calls:
        Weather.model_validate_json(arguments)


def test_streamed_tool(client: openai.OpenAI, tool_caller: ServedModel, facts: dict[str, Fact]) -> None:
    """A tool call of {tool_caller.name} that comes in pieces is whole when they are put together."""
    for attempt in range(1, ATTEMPTS + 1):
        with client.chat.completions.stream(
            model=tool_caller.served_name,
            messages=QUESTION,
            tools=[TOOL],
            tool_choice="required",
            max_tokens=ROOM,
            temperature=1,
            seed=attempt,
        ) as stream:
            pieces = sum(e.type == "tool_calls.function.arguments.delta" for e in stream)
            answer = stream.current_completion_snapshot
        if answer.choices[0].finish_reason != "length":
            break
    facts["attempts"], facts["pieces"] = attempt, pieces
    assert pieces > 1, "the arguments came in one piece"
    name, arguments = called(answer)[0]
    assert name == "get_weather"
    Weather.model_validate_json(arguments)


def test_tool_result(client: openai.OpenAI, tool_caller: ServedModel) -> None:
    """{tool_caller.name} takes a tool's result and goes on from there."""
    function = {"name": "get_weather", "arguments": json.dumps({"city": "Oslo", "unit": "celsius"})}
    turn: list[Any] = [
        *QUESTION,
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "call_1", "type": "function", "function": function}],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "12 degrees"},
    ]
    short = client.chat.completions.create(model=tool_caller.served_name, messages=QUESTION, tools=[TOOL], max_tokens=4)
    long = client.chat.completions.create(model=tool_caller.served_name, messages=turn, tools=[TOOL], max_tokens=4)
    assert long.choices[0].message.content or long.choices[0].message.tool_calls, "the answer is empty"
    assert short.usage and long.usage, "no tokens were counted"
    assert long.usage.prompt_tokens > short.usage.prompt_tokens, "the model was not shown the tool's result"


def test_schema(client: openai.OpenAI, generator: ServedModel, facts: dict[str, Fact]) -> None:
    """Given a JSON schema, {generator.name} answers with a document that fits it."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            answer = client.chat.completions.parse(
                model=generator.served_name,
                messages=QUESTION,
                response_format=Forecast,
                max_tokens=ROOM,
                temperature=1,
                seed=attempt,
            )
            break
        except openai.LengthFinishReasonError:
            assert attempt < ATTEMPTS, f"{ATTEMPTS} answers of {ROOM} tokens never came to an end"
    found = answer.choices[0].message.parsed
    facts["attempts"], facts["answer"] = attempt, answer.choices[0].message.content or ""
    assert found, "there is no document in the answer"
    assert set(json.loads(answer.choices[0].message.content or "{}")) == {"place", "degrees", "signs"}


def test_impossible_schema(client: openai.OpenAI, generator: ServedModel, facts: dict[str, Fact]) -> None:
    """A schema that says nothing sensible is refused by {generator.name} as the client's mistake."""
    nonsense: Any = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "nonsense"}}}
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(
            model=generator.served_name, messages=QUESTION, response_format=nonsense, max_tokens=4
        )
    facts["answer"] = f"HTTP {raised.value.status_code}"
