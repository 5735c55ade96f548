"""What the gateway says to those whom it does not let through: an error of the OpenAI API; and the control of it."""

from __future__ import annotations

import json
from typing import Any

import httpx2

from . import keys
from .environment import Environment, ServedModel
from .evidence import Fact
from .gateway import http_client


def models_list(environment: Environment, model: ServedModel, key: str | None) -> httpx2.Response:
    """The answer of ``model`` to the harmless call."""
    with http_client(environment, key=key) as client:
        return client.get(f"{model.url}/models")


def control(environment: Environment, model: ServedModel) -> None:
    """Assert that with a good key the same call is answered."""
    status = models_list(environment, model, keys.for_model(environment, model)).status_code
    assert status == 200, f"with a good key it is answered HTTP {status} as well"


def refusal(answer: httpx2.Response, facts: dict[str, Fact]) -> tuple[int, str]:
    """Status and code of an error, whose shape must be the API's."""
    kind = answer.headers.get("content-type", "")
    assert kind.startswith("application/json"), f"HTTP {answer.status_code}, and not JSON but {kind or 'nothing'}"
    return shaped(answer.status_code, answer.text, facts)


def shaped(status: int, text: str, facts: dict[str, Fact]) -> tuple[int, str]:
    """Status and code of an error whose body is ``text``."""
    body: dict[str, Any] = json.loads(text).get("error", {})
    facts["answer"] = f"HTTP {status}: {body.get('message', text[:100])}"
    assert set(body) == {"message", "type", "param", "code"}, f"the body is not an OpenAI error: {text[:200]}"
    return status, str(body["code"])
