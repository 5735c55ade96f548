from __future__ import annotations

from typing import TYPE_CHECKING

import openai
import pytest

from smoke_tests import streaming
from smoke_tests.environment import Environment
from smoke_tests.gateway import openai_client

if TYPE_CHECKING:
    from tests.smoke_tests.conftest import Behaviour


def test_a_context_that_is_long_enough_needs_one_answer(environment: Environment, behaviour: Behaviour) -> None:
    behaviour.max_model_len = 10_000
    with openai_client(environment, environment.outputs.models[0]) as client:
        stream = streaming.last_for(client, "chat", seconds=3)  # a busy machine takes a second to the first chunk
    assert (stream.choices, stream.ended) == (1, False)
    assert 3 <= stream.seconds < 30
    assert stream.chunks > 10


def test_a_short_context_is_made_up_for_by_more_answers_at_once(environment: Environment, behaviour: Behaviour) -> None:
    behaviour.max_model_len = 100
    behaviour.token_seconds = 0.001
    with openai_client(environment, environment.outputs.models[0]) as client:
        stream = streaming.last_for(client, "chat", seconds=0.5)
    assert stream.choices > 1
    assert stream.seconds >= 0.5


def test_a_model_that_is_too_fast_for_any_stream_is_said_so(
    environment: Environment, behaviour: Behaviour, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "MOST_CHOICES", 2)
    behaviour.max_model_len, behaviour.token_seconds = 65, 0
    client = openai_client(environment, environment.outputs.models[0])
    with client, pytest.raises(streaming.TooFast, match="max-model-len"):
        streaming.last_for(client, "chat", seconds=5)


def test_a_stream_that_is_cut_is_an_error_and_not_an_end(environment: Environment, behaviour: Behaviour) -> None:
    behaviour.max_model_len, behaviour.cut_after_seconds = 10_000, 0.2
    client = openai_client(environment, environment.outputs.models[0])
    with client, pytest.raises(openai.APIConnectionError):
        streaming.last_for(client, "chat", seconds=5)


@pytest.mark.parametrize(
    ("choices", "lasted", "expected"),
    [
        (1, 0.5, 528),
        (10, 60.0, 44),
        (10, 1e6, 11),
        (4000, 1.0, streaming.MOST_CHOICES),
        (1, 0.0, streaming.MOST_CHOICES),
    ],
)
def test_more_answers_aim_well_past_the_time(choices: int, lasted: float, expected: int) -> None:
    assert streaming.more_choices(choices, lasted=lasted, wanted=66.0) == expected
