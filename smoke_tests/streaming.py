"""A stream that lasts: asking a model for so much that its answer takes longer than a time limit on the way."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import openai

A_MINUTE = 60.0
"""A usual time limit of routes (KServe gives its HTTPRoutes one of 60 s by default)."""
MARGIN = 6.0
MOST_CHOICES = 4096
AIM = 4
"""A model that was measured while others were busy is this much quicker when they are not."""
PROMPT: list[Any] = [{"role": "user", "content": "Tell me everything, and do not stop."}]
_PROMPT_ROOM = 64  # tokens that the prompt and a chat template may take of the context
_SHORTEST = 0.02  # seconds; keeps the estimate finite for a stream that was over at once


@dataclass(frozen=True)
class Stream:
    """What was seen of one stream."""

    seconds: float
    """From the request to the end, or to where the reader had seen enough."""
    first: float
    """Seconds to the first chunk that carries a token."""
    chunks: int
    longest_silence: float
    """Seconds between two chunks."""
    ended: bool
    """The server ended it; False when the reader stopped because it had lasted long enough."""
    choices: int


class TooFast(Exception):
    """The model answers everything that it may be asked for before the time is over."""


def context_length(client: openai.OpenAI) -> int | None:
    """Tokens of prompt and answer together, as vLLM says on its models list; None where a server does not say."""
    length = (client.models.list().data[0].model_extra or {}).get("max_model_len")
    return int(length) if length else None


def watch(chunks: Iterator[Any], *, started: float, enough: float, choices: int) -> Stream:
    """Read ``chunks`` until they end or have lasted ``enough`` seconds since ``started`` (monotonic)."""
    first, last, count, silence, ended = 0.0, started, 0, 0.0, True
    for chunk in chunks:
        now = time.monotonic()
        if not chunk.choices:
            continue
        count += 1
        first = first or now - started
        silence = max(silence, now - last)
        last = now
        if now - started >= enough:
            ended = False
            break
    return Stream(time.monotonic() - started, first, count, silence, ended, choices)


def last_for(client: openai.OpenAI, model: str, *, seconds: float) -> Stream:
    """A stream of ``model`` that was still arriving after ``seconds``.

    Asks for one answer as long as the context allows; when that is over too soon, for as many answers at once (``n``)
    as the measured speed calls for, AIM times over. The reader closes the stream when it has lasted long enough, so
    asking for too much costs nothing. Raises TooFast when MOST_CHOICES are not enough; an error of the connection or of
    the server comes through as the client raises it.
    """
    length = context_length(client)
    tokens = max(1, length - _PROMPT_ROOM) if length else 4096
    choices = 1
    while True:
        stream = _ask(client, model, tokens=tokens, choices=choices, enough=seconds)
        if not stream.ended:
            return stream
        if choices == MOST_CHOICES:
            raise TooFast(
                f"{choices} answers of {tokens} tokens took {stream.seconds:.0f} s; to hold a stream open for "
                f"{seconds:.0f} s a longer context is needed: raise --max-model-len in the model's args"
            )
        choices = more_choices(choices, lasted=stream.seconds, wanted=seconds)


def more_choices(choices: int, *, lasted: float, wanted: float) -> int:
    """How many answers to ask for when ``choices`` lasted ``lasted`` seconds and AIM times ``wanted`` is aimed at."""
    return min(MOST_CHOICES, max(choices + 1, math.ceil(choices * AIM * wanted / max(lasted, _SHORTEST))))


def _ask(client: openai.OpenAI, model: str, *, tokens: int, choices: int, enough: float) -> Stream:
    started = time.monotonic()
    with client.chat.completions.create(
        model=model,
        messages=PROMPT,
        max_tokens=tokens,
        n=choices,
        temperature=1,  # several answers at once are refused without it
        stream=True,
        extra_body={"ignore_eos": True},
    ) as chunks:
        return watch(iter(chunks), started=started, enough=enough, choices=choices)
