"""Models that run only while they are asked."""

from __future__ import annotations

import time

from smoke_tests.cluster import Cluster, wait_until
from smoke_tests.environment import Environment, ServedModel
from smoke_tests.evidence import Fact, Group
from smoke_tests.gateway import openai_client
from smoke_tests.plugin import not_asked

GROUP = Group.SCALE_TO_ZERO
IDLE_SECONDS = 300  # Knative's defaults add up to 90 s of idling, then the last pod goes


def test_first_request_waits(
    environment: Environment, cluster: Cluster, model: ServedModel, facts: dict[str, Fact]
) -> None:
    """With no replica of {model.name} running, the first request waits for one and is answered."""
    if not model.scale_to_zero:
        not_asked(f"{model.name} is configured to keep a replica")
    since = time.monotonic()
    is_zero = wait_until(lambda: not cluster.predictor_pods(model.name, model.namespace), seconds=IDLE_SECONDS, every=2)
    facts["seconds until no replica was left"] = round(time.monotonic() - since, 1)
    assert is_zero, f"after {IDLE_SECONDS} s without a request a replica still runs"
    with openai_client(environment, model) as client:
        since = time.monotonic()
        answer = client.chat.completions.create(
            model=model.served_name, messages=[{"role": "user", "content": "Good morning."}], max_tokens=4
        )
        facts["cold start in seconds"] = round(time.monotonic() - since, 1)
        assert answer.choices, "the answer is empty"
        since = time.monotonic()
        client.models.list()
        facts["warm answer in milliseconds"] = round((time.monotonic() - since) * 1000)
    assert cluster.predictor_pods(model.name, model.namespace), "it answered, and yet no replica is to be seen"
