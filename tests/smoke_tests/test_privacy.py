"""A word that is sent is looked for in every log, and found where it was written down."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from smoke_tests import container_logs
from smoke_tests.checks import test_privacy as checks
from smoke_tests.cluster import Cluster
from smoke_tests.container_logs import Log
from smoke_tests.environment import Environment

if TYPE_CHECKING:
    from tests.smoke_tests.conftest import Behaviour, FakeKubectl

MARKER = re.compile(r"sealift-smoke-[0-9a-f]{32}")


def pod(namespace: str, name: str, **state: object) -> dict[str, Any]:
    status = {"containerStatuses": [{"name": "main", "state": state or {"running": {}}}]}
    return {"metadata": {"namespace": namespace, "name": name}, "status": status}


@pytest.fixture
def logged(kubectl: FakeKubectl) -> FakeKubectl:
    kubectl.answers(
        {
            "get pods -n istio-system": {"items": [pod("istio-system", "gateway")]},
            "get pods -n istio-cni": {"items": [pod("istio-cni", "node", waiting={})]},
            "get pods -n models": {"items": [pod("models", "chat-1")]},
            "logs gateway -n istio-system --prefix*": "[pod/gateway/main] starting",
            "logs chat-1 -n models --prefix*": "[pod/chat-1/main] ready\n[pod/chat-1/proxy] also",
        }
    )
    return kubectl


def test_all_pods_are_read_but_those_that_have_not_started(logged: FakeKubectl, cluster: Cluster) -> None:
    found = container_logs.all_of(cluster, ["istio-system", "istio-cni", "models"])
    assert [log.pod for log in found] == ["istio-system/gateway", "models/chat-1"]


def test_the_containers_that_tell_a_word_are_named() -> None:
    log = Log("models/chat-1", ("main", "proxy"), "[pod/chat-1/main] a\n[pod/chat-1/proxy] secret\n[pod/chat-1/x] b")
    assert log.telling("secret") == ["pod/chat-1/proxy"]
    assert log.telling("nothing") == []


def test_only_lines_of_an_access_log_are_read_as_such() -> None:
    line = {"response_code": 200, "path": "/v1/completions"}
    text = f"[pod/g/p] started\n[pod/g/p] {json.dumps(line)}\n[pod/g/p] {{broken\n[pod/g/p] {{}}"
    assert list(container_logs.access_lines(Log("n/g", ("p",), text))) == [line]


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"bytes_received": 11}, False),
        ({"response_code": 403}, False),
        ({"path": "/v1/models"}, False),
        ({"key_id": "other"}, False),
    ],
)
def test_the_request_is_known_by_its_size_its_key_and_its_answer(change: dict[str, Any], same: bool) -> None:
    line = {"path": "/v1/completions", "response_code": 200, "bytes_received": 10, "key_id": "k", **change}
    assert checks.is_it(line, 10, "k") is same


def test_the_id_of_a_key_is_read_from_it() -> None:
    assert checks.key_id("e30.eyJqdGkiOiJhYmMifQ.c2ln") == "abc"
    assert checks.key_id(None) is None


@pytest.fixture
def chatty(logged: FakeKubectl, behaviour: Behaviour, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A model server that echoes; the gateway logs what it was sent, and ``told`` is what the model logs of it."""
    told: dict[str, str] = {"model": "", "gateway": "ok"}
    monkeypatch.setattr(checks, "FLUSH_SECONDS", 0)
    original = checks.ask

    def ask(client: Any, model: Any, path: str, content: bytes) -> Any:  # noqa: ANN401 - as the check's own
        found = MARKER.search(content.decode())
        assert found
        line = {"path": "/v1/completions", "response_code": 200, "bytes_received": len(content)}
        if path == "/completions":
            behaviour.served = "chat"
            said = json.dumps(line) if told["gateway"] else "nothing"
            logged.answers({"logs gateway -n istio-system --prefix*": f"[pod/gateway/main] {said}"})
            shown = told["model"].format(word=found[0])
            logged.answers({"logs chat-1 -n models --prefix*": f"[pod/chat-1/main] {shown}"})
            return Echo(found[0])
        return original(client, model, path, b'{"model": "other"}')

    monkeypatch.setattr(checks, "ask", ask)
    return told


class Echo:
    """An answer that holds what was sent."""

    status_code = 200

    def __init__(self, text: str) -> None:
        self.text = text


def test_a_silent_platform_passes(chatty: dict[str, str], environment: Environment, cluster: Cluster) -> None:
    facts: dict[str, Any] = {}
    checks.test_prompts(environment, cluster, environment.outputs.models[0], facts)
    assert facts["containers"] == 2


def test_a_model_server_that_writes_prompts_down_fails(
    chatty: dict[str, str], environment: Environment, cluster: Cluster
) -> None:
    chatty["model"] = "Received request: prompt: {word}"
    with pytest.raises(AssertionError, match="written down by pod/chat-1/main"):
        checks.test_prompts(environment, cluster, environment.outputs.models[0], {})


def test_where_the_gateway_logs_nothing_nothing_is_proved(
    chatty: dict[str, str], environment: Environment, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    chatty["gateway"] = ""
    monkeypatch.setattr(checks, "wait_until", lambda condition, **_: condition())
    with pytest.raises(AssertionError, match="does not show the request"):
        checks.test_prompts(environment, cluster, environment.outputs.models[0], {})


@pytest.mark.parametrize(
    ("spec", "data", "said"),
    [
        ({"predictor": {"logger": {"mode": "all"}}}, {}, "send their requests on"),
        ({"predictor": {}}, {"logging.enable-request-log": "true"}, "enable-request-log is true"),
    ],
)
def test_a_payload_logger_fails(
    kubectl: FakeKubectl,
    environment: Environment,
    cluster: Cluster,
    spec: dict[str, Any],
    data: dict[str, str],
    said: str,
) -> None:
    served = {"metadata": {"namespace": "models", "name": "chat"}, "spec": spec}
    kubectl.answers(
        {
            "get inferenceservices.serving.kserve.io -n models": {"items": [served]},
            "get configmap config-observability -n knative-serving": {"data": data},
        }
    )
    with pytest.raises(AssertionError, match=said):
        checks.test_payload_logger(environment, cluster, {})


def test_a_server_that_is_told_to_log_requests_fails(
    kubectl: FakeKubectl, environment: Environment, cluster: Cluster
) -> None:
    containers = [{"name": "kserve-container", "args": ["--no-enable-log-requests"]}]
    kubectl.answers({"get pods -n models": {"items": [{"spec": {"containers": containers}}]}})
    checks.test_server_arguments(environment, cluster, "--enable-log-requests", {})
    containers[0]["args"] = ["--enable-log-requests"]  # type: ignore[assignment]
    kubectl.answers({"get pods -n models": {"items": [{"spec": {"containers": containers}}]}})
    with pytest.raises(AssertionError, match="kserve-container is"):
        checks.test_server_arguments(environment, cluster, "--enable-log-requests", {})
