"""Asking every request of a batch, a few at a time, and keeping what was answered when the run is interrupted."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from itertools import islice
from pathlib import Path
from typing import Any

import httpx2
import openai

from mirror.atomic import write_atomically

from .file import Failure, Request, Response, Result, read_results, text

Ask = Callable[[Request], Result]
PARTIAL = ".partial"
"""Ends the name of the results so far. The file without it is there only when it is whole."""


def ask(client: openai.OpenAI, request: Request) -> Result:
    """Ask once. What the client's own patience (``max_retries``; it heeds Retry-After) does not mend is the result."""
    identity = f"batch_req_{uuid.uuid4().hex}"
    try:
        answer = client.post(request.url.removeprefix("/v1"), body=request.body, cast_to=httpx2.Response)
    except openai.APIStatusError as e:
        answer = e.response
    except openai.OpenAIError as e:
        failure = Failure(code=type(e).__name__, message=str(e.__cause__ or e))
        return Result(id=identity, custom_id=request.custom_id, error=failure)
    response = Response(
        status_code=answer.status_code, request_id=answer.headers.get("x-request-id", ""), body=_body(answer)
    )
    return Result(id=identity, custom_id=request.custom_id, response=response)


def unanswered(requests: Sequence[Request], output: Path) -> list[Request]:
    """Those of ``requests`` that an earlier run, interrupted, left without a final answer beside ``output``."""
    found = _final(output)
    return [r for r in requests if r.custom_id not in found]


def _final(output: Path) -> dict[str, Result]:
    return {k: r for k, r in read_results(output.with_name(output.name + PARTIAL)).items() if r.final}


def run(
    requests: Sequence[Request],
    ask: Ask,
    output: Path,
    *,
    at_once: int,
    progress: Callable[[Result], None] = lambda _: None,
) -> list[Result]:
    """The results of ``requests``, in their order, also written to ``output``; at most ``at_once`` are under way.

    What an interrupted run left beside ``output`` is not asked again, unless asking again may help.
    """
    partial = output.with_name(output.name + PARTIAL)
    found = _final(output)
    write_atomically(partial, text(found.values()))
    left = [r for r in requests if r.custom_id not in found]
    with partial.open("a", encoding="utf-8") as kept:
        for result in answered(left, ask, at_once):
            kept.write(text([result]))
            kept.flush()
            found[result.custom_id] = result
            progress(result)
    results = [found[r.custom_id] for r in requests]
    write_atomically(output, text(results))
    partial.unlink()
    return results


def answered(requests: Sequence[Request], ask: Ask, at_once: int) -> Iterator[Result]:
    """The result of each request as it comes; no more than ``at_once`` are begun before one is done."""
    waiting = iter(requests)
    with ThreadPoolExecutor(at_once) as pool:
        under_way = {pool.submit(ask, r) for r in islice(waiting, at_once)}
        while under_way:
            done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            under_way |= {pool.submit(ask, r) for r in islice(waiting, len(done))}
            for future in done:
                yield future.result()


def _body(answer: httpx2.Response) -> dict[str, Any]:
    """The JSON object of an answer; what is none (a proxy's page) is told as text."""
    try:
        found = json.loads(answer.text)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"text": answer.text[:1000]}
