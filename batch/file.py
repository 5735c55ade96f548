"""The lines of a batch file and of its results, as OpenAI defines them.

https://platform.openai.com/docs/api-reference/batch/request-input
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mirror.errors import BadInput

Endpoint = Literal["/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses"]


class Line(BaseModel):
    """A value; fields that OpenAI may add are kept out, not refused."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Request(Line):
    """One request. ``custom_id`` is its name in the results."""

    custom_id: str = Field(min_length=1)
    method: Literal["POST"]
    url: Endpoint
    body: dict[str, Any]


class Response(Line):
    """What the API answered, whatever its status."""

    status_code: int
    request_id: str
    body: dict[str, Any]


class Failure(Line):
    """Why there was no answer at all."""

    code: str
    message: str


class Result(Line):
    """What became of one request: exactly one of ``response`` and ``error``."""

    id: str
    custom_id: str
    response: Response | None = None
    error: Failure | None = None

    @property
    def succeeded(self) -> bool:
        """The API did what was asked."""
        return self.response is not None and self.response.status_code == 200

    @property
    def final(self) -> bool:
        """Asking again would not change it: it succeeded, or the request itself is wrong."""
        return self.response is not None and self.response.status_code < 500 and self.response.status_code != 429


def read(path: Path) -> list[Request]:
    """The requests of a batch file; raises BadInput for a line that is none, or repeats a ``custom_id``."""
    requests: dict[str, Request] = {}
    for number, text in enumerate(_lines(path), 1):
        if not text.strip():
            continue
        where = f"{path}, line {number}"
        try:
            request = Request.model_validate_json(text)
        except ValidationError as e:
            problem = "; ".join(f"{'.'.join(map(str, p['loc'])) or 'line'}: {p['msg']}" for p in e.errors())
            raise BadInput(where, problem, 'Write {"custom_id", "method": "POST", "url", "body"} on each line.') from e
        if request.custom_id in requests:
            raise BadInput(where, f"custom_id {request.custom_id!r} is there already", "Give every request its own.")
        requests[request.custom_id] = request
    if not requests:
        raise BadInput(str(path), "it has no request", "Write one request on each line.")
    return list(requests.values())


def read_results(path: Path) -> dict[str, Result]:
    """The results that an interrupted run left, by ``custom_id``; a last line that was cut short is not one."""
    found = {}
    for text in _lines(path) if path.exists() else []:
        try:
            result = Result.model_validate_json(text)
        except ValidationError:
            continue
        found[result.custom_id] = result
    return found


def text(results: Iterable[Result]) -> str:
    """One line for each."""
    return "".join(json.dumps(r.model_dump(), ensure_ascii=False) + "\n" for r in results)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").split("\n")
    except (OSError, ValueError) as e:
        raise BadInput(str(path), str(e), "Give a batch file: JSON lines in UTF-8.") from e
