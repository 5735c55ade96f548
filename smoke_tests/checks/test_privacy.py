"""Nobody reads in a log what was asked and answered: a word that is sent and comes back is looked for everywhere."""

from __future__ import annotations

import base64
import json
import secrets
import time
from typing import Any

import httpx2
import pytest

from smoke_tests import container_logs, keys
from smoke_tests.cluster import INFERENCE_SERVICES, Cluster, wait_until
from smoke_tests.container_logs import Log
from smoke_tests.environment import Environment, ServedModel
from smoke_tests.evidence import Fact, Group
from smoke_tests.gateway import http_client

GROUP = Group.PRIVACY
FLUSH_SECONDS = 3  # a proxy writes its access log at most once a second


def ask(client: httpx2.Client, model: ServedModel, path: str, content: bytes) -> httpx2.Response:
    return client.post(f"{model.url}{path}", content=content, headers={"content-type": "application/json"})


def key_id(key: str | None) -> str | None:
    """The id that a key carries, as the gateway logs it."""
    if key is None:
        return None
    payload = key.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return str(claims["jti"])


def test_prompts(
    environment: Environment, cluster: Cluster, typical_model: ServedModel, facts: dict[str, Fact]
) -> None:
    """No container logs a prompt or an answer of {typical_model.name}; the gateway logs that there was a request."""
    model, marker = typical_model, f"sealift-smoke-{secrets.token_hex(16)}"
    key = keys.for_model(environment, model)
    echoed = json.dumps({"model": model.served_name, "prompt": marker, "max_tokens": 4, "echo": True}).encode()
    with http_client(environment, key=key) as client:
        answer = ask(client, model, "/completions", echoed)
        assert answer.status_code == 200, f"it was answered HTTP {answer.status_code}: {answer.text[:300]}"
        assert marker in answer.text, "the answer does not hold the word, so nothing is known of answers"
        facts["refused requests that hold the word"] = [
            f"HTTP {ask(client, model, path, content).status_code}" for path, content in wrong(model, marker)
        ]

    def asked(log: Log) -> bool:
        return any(is_it(line, len(echoed), key_id(key)) for line in container_logs.access_lines(log))

    gateway = environment.outputs.gateway.namespace
    seen = wait_until(lambda: any(map(asked, container_logs.all_of(cluster, [gateway]))), seconds=30, every=1)
    assert seen, "the gateway's access log does not show the request, so that nothing follows from what is not there"
    time.sleep(FLUSH_SECONDS)
    logs = container_logs.all_of(cluster, environment.outputs.all_namespaces)
    facts["containers"] = sum(len(log.containers) for log in logs)
    facts["characters"] = sum(len(log.text) for log in logs)
    assert any(log.pod.startswith(f"{model.namespace}/") for log in logs), "the model's own log was not among them"
    told = sorted({c for log in logs for c in log.telling(marker)})
    assert not told, f"written down by {', '.join(told)}"


def wrong(model: ServedModel, marker: str) -> list[tuple[str, bytes]]:
    """Requests that are refused, each for another reason: what is refused is logged most readily."""
    chat = {"model": model.served_name, "messages": [{"role": "user", "content": marker}], "max_tokens": 1}
    return [
        ("/chat/completions", json.dumps({**chat, "max_tokens": marker}).encode()),
        ("/chat/completions", json.dumps({**chat, "messages": marker}).encode()),
        ("/chat/completions", json.dumps(chat).encode()[:-1]),
        ("/chat/completions", json.dumps({**chat, "max_tokens": 10**9}).encode()),
        (f"/chat/completions?prompt={marker}", json.dumps(chat).encode()),
    ]


def is_it(line: dict[str, Any], size: int, key: str | None) -> bool:
    """Whether ``line`` of the gateway's access log is of the request that was answered."""
    same = line.get("path") == "/v1/completions" and line.get("response_code") == 200
    return same and line.get("bytes_received") == size and (key is None or line.get("key_id") == key)


def test_payload_logger(environment: Environment, cluster: Cluster, facts: dict[str, Fact]) -> None:
    """No model is set to send what it is asked to a payload logger, and Knative writes no request log."""
    spaces = environment.outputs.namespaces["models"]
    served = [m for n in spaces for m in cluster.items(INFERENCE_SERVICES, "-n", n)]
    facts["models"] = [f"{m['metadata']['namespace']}/{m['metadata']['name']}" for m in served]
    assert served, "no InferenceService is to be seen"
    logged = [m["metadata"]["name"] for m in served if any("logger" in part for part in m["spec"].values())]
    assert not logged, f"{', '.join(logged)} send their requests on"
    settings = cluster.get("configmap", "config-observability", "-n", "knative-serving").get("data", {})
    for name in ("logging.enable-request-log", "logging.enable-probe-request-log"):
        assert settings.get(name, "false") == "false", f"Knative's {name} is {settings[name]}"


@pytest.mark.parametrize("word", ["--enable-log-requests", "--enable-log-outputs"])
def test_server_arguments(environment: Environment, cluster: Cluster, word: str, facts: dict[str, Fact]) -> None:
    """No model server is started with {word}."""
    pods = [p for n in environment.outputs.namespaces["models"] for p in cluster.items("pods", "-n", n)]
    containers = [c for p in pods for c in p["spec"]["containers"]]
    facts["containers"] = len(containers)
    assert containers, "no pod runs in the models' namespaces"
    wrongly = [c["name"] for c in containers if word in [*c.get("args", []), *c.get("command", [])]]
    assert not wrongly, f"{', '.join(wrongly)} is"
