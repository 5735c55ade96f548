"""Load on one endpoint, by locust, in a process of its own: locust replaces the standard library's sockets.

    python -m benchmarks.hardening.load --url URL --model NAME --users N --tokens N --seconds N
        [--connect HOST:PORT] [--ca FILE]

Prints one line of JSON: a Measured. The API key comes in $SEALIFT_API_KEY, so that no process list shows it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import time
from dataclasses import asdict, dataclass
from pathlib import Path

KEY_VARIABLE = "SEALIFT_API_KEY"


@dataclass(frozen=True)
class Measured:
    """What the users of one endpoint saw. Latencies are milliseconds of whole answers."""

    users: int
    seconds: float
    answers: int
    failures: int
    per_second: float
    """Tokens."""
    p50: float
    p95: float
    p99: float


@dataclass(frozen=True)
class Load:
    """What to ask, where, by how many at once and for how long."""

    url: str
    model: str
    users: int
    tokens: int
    """How many an answer has on average; between half and one and a half of it, so that users do not ask in step."""
    seconds: float
    connect: tuple[str, int] | None = None
    """Where the name in ``url`` answers, if no DNS says so."""
    authority: str | None = None
    """PEM; None for an endpoint without TLS."""
    key: str = ""


def measured(load: Load) -> Measured:
    """Run ``load``: every user asks again as soon as it is answered."""
    import gevent
    from locust import User, constant, task
    from locust.env import Environment

    # Behind locust, which replaces the sockets that these would else have taken.
    import httpx2  # isort: skip
    from smoke_tests.gateway import GatewayTransport, trust  # isort: skip

    def client() -> httpx2.Client:
        headers = {"authorization": f"Bearer {load.key}"} if load.key else {}
        if load.connect and load.authority:
            transport = GatewayTransport(*load.connect, trust(load.authority))
            return httpx2.Client(transport=transport, headers=headers, timeout=120, trust_env=False)
        return httpx2.Client(headers=headers, timeout=120, trust_env=False)

    numbers = itertools.count()

    class Asker(User):
        wait_time = constant(0)

        def on_start(self) -> None:
            self.client = client()
            self.lengths = random.Random(next(numbers))  # noqa: S311 - the same lengths each time

        def on_stop(self) -> None:
            self.client.close()

        @task
        def ask(self) -> None:
            since, failure, size = time.perf_counter(), None, 0
            tokens = self.lengths.randint(load.tokens // 2, load.tokens * 3 // 2)
            try:
                answer = self.client.post(f"{load.url}/chat/completions", json=_question(load.model, tokens))
                size = answer.raise_for_status().json()["usage"]["completion_tokens"]
            except httpx2.HTTPError as e:
                failure = e
            self.environment.events.request.fire(
                request_type="chat",
                name="answer",
                response_time=(time.perf_counter() - since) * 1000,
                response_length=size,
                exception=failure,
            )

    environment = Environment(user_classes=[Asker], catch_exceptions=False)
    runner = environment.create_local_runner()
    runner.start(load.users, spawn_rate=load.users)
    since = time.perf_counter()
    gevent.sleep(load.seconds)
    seconds = time.perf_counter() - since
    total = environment.stats.total
    answers = total.num_requests - total.num_failures
    found = Measured(
        users=load.users,
        seconds=round(seconds, 2),
        answers=answers,
        failures=total.num_failures,
        per_second=round(total.total_content_length / seconds, 3),
        **{f"p{p}": float(total.get_response_time_percentile(p / 100)) for p in (50, 95, 99)},
    )
    runner.quit()
    return found


def _question(model: str, tokens: int) -> dict[str, object]:
    return {
        "model": model,
        "messages": [{"role": "user", "content": "Say hello."}],
        "max_tokens": tokens,
        "temperature": 0,
        "ignore_eos": True,
    }


def main() -> None:
    """One load, from the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--users", type=int, required=True)
    parser.add_argument("--tokens", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--connect")
    parser.add_argument("--ca", type=Path)
    given = parser.parse_args()
    host, _, port = (given.connect or "").rpartition(":")
    load = Load(
        url=given.url,
        model=given.model,
        users=given.users,
        tokens=given.tokens,
        seconds=given.seconds,
        connect=(host, int(port)) if host else None,
        authority=given.ca.read_text() if given.ca else None,
        key=os.environ.get(KEY_VARIABLE, ""),
    )
    print(json.dumps(asdict(measured(load))))


if __name__ == "__main__":
    main()
