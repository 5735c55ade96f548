"""How much the gateway takes, how long it waits, what it keeps, and what it writes down."""

from __future__ import annotations

import json
import time

import pytest

from smoke_tests import keys, raw_http
from smoke_tests.cluster import Cluster, wait_until
from smoke_tests.environment import Environment, GatewayLimits, ServedModel
from smoke_tests.evidence import Fact, Group
from smoke_tests.gateway import http_client
from smoke_tests.plugin import not_asked
from smoke_tests.refusals import control, models_list, refusal, shaped

GROUP = Group.FRONT_DOOR
MOST_REQUESTS = 1500  # a limit that is higher is not tried out
GATEWAY_PODS = ("-n", "istio-system", "-l", "istio=ingressgateway")


@pytest.fixture(autouse=True)
def somebody_gets_in(environment: Environment) -> None:
    if environment.outputs.access.mode == "closed":
        not_asked("the stack's gateway is closed")


@pytest.fixture
def limits(environment: Environment) -> GatewayLimits:
    return environment.outputs.access.limits


def test_too_large(
    environment: Environment, steady: ServedModel, limits: GatewayLimits, facts: dict[str, Fact]
) -> None:
    """A request larger than the stack's limit is refused; one just below it is answered."""
    asked = {"model": steady.served_name, "prompt": "Hello", "input": "Hello", "max_tokens": 1}
    path = "embeddings" if steady.task == "embed" else "completions"
    del asked["prompt" if steady.task == "embed" else "input"]
    text = json.dumps(asked).encode()
    key = keys.for_model(environment, steady)
    kind = {"content-type": "application/json"}
    with http_client(environment, key=key) as client:
        fits = client.post(f"{steady.url}/{path}", content=text.ljust(limits.request_bytes), headers=kind)
        assert fits.status_code == 200, f"{limits.request_bytes} bytes: HTTP {fits.status_code} {fits.text[:200]}"
        answer = client.post(f"{steady.url}/{path}", content=text.ljust(limits.request_bytes + 1), headers=kind)
    facts["bytes"] = limits.request_bytes
    assert refusal(answer, facts) == (413, "request_too_large")


def test_too_often(environment: Environment, facts: dict[str, Fact]) -> None:
    """A tenant that asks more often than it may is told when to come back; another tenant is answered meanwhile."""
    models = {m.key: m for m in environment.outputs.models if not m.scale_to_zero}
    tenants = [t for t in environment.outputs.access.tenants if set(t.models) & set(models)]
    slowest = min(tenants, key=lambda t: t.requests_per_minute, default=None)
    if slowest is None or slowest.requests_per_minute > MOST_REQUESTS:
        not_asked(f"no tenant may ask fewer than {MOST_REQUESTS} times a minute")
    model = models[next(m for m in slowest.models if m in models)]
    others = [t for t in tenants if t != slowest and model.key in t.models]
    began = time.monotonic()
    with http_client(environment, key=keys.of_tenant(environment, slowest.name)) as client:
        answers = (client.get(f"{model.url}/models") for _ in range(2 * slowest.requests_per_minute + 50))
        count, answer = next(((n, a) for n, a in enumerate(answers, 1) if a.status_code != 200), (0, None))
    facts["tenant"], facts["requests a minute"] = slowest.name, slowest.requests_per_minute
    facts["refused at request"], facts["after seconds"] = count, round(time.monotonic() - began, 1)
    assert answer, "however often it asked, it was answered"
    assert refusal(answer, facts) == (429, "rate_limit_exceeded")
    assert count > 1, "the first request was refused already"
    assert int(answer.headers.get("retry-after", "0")) > 0, "it is not told when to come back"
    if others:
        status = models_list(environment, model, keys.of_tenant(environment, others[0].name)).status_code
        assert status == 200, f"{others[0].name} is answered HTTP {status} because of {slowest.name}"


def test_slow_headers(
    environment: Environment, steady: ServedModel, limits: GatewayLimits, facts: dict[str, Fact]
) -> None:
    """Headers that drip in are waited for as long as the stack says and no longer, with or without a key."""
    control(environment, steady)
    slow = raw_http.head("GET", "/v1/models", steady.host, keys.for_model(environment, steady))
    answer = raw_http.ask(environment, steady.host, slow, drop=b"a: b\r\n", patience=limits.header_seconds + 20)
    facts["seconds"] = round(answer.seconds, 1)
    assert answer.status == 408, f"after {answer.seconds:.0f} s it was answered HTTP {answer.status}"
    assert shaped(408, answer.text.partition("\r\n\r\n")[2], facts)[1] == "request_timeout"
    assert answer.seconds < limits.header_seconds + 10


def test_slow_body(
    environment: Environment, steady: ServedModel, limits: GatewayLimits, facts: dict[str, Fact]
) -> None:
    """A body that drips in is waited for as long as the stack says and no longer."""
    control(environment, steady)
    slow = raw_http.head("POST", "/v1/completions", steady.host, keys.for_model(environment, steady))
    slow += b"content-type: application/json\r\ncontent-length: 100000\r\n\r\n{"
    answer = raw_http.ask(environment, steady.host, slow, drop=b" ", patience=limits.request_seconds + 30)
    facts["seconds"] = round(answer.seconds, 1)
    assert answer.status == 408, f"after {answer.seconds:.0f} s it was answered HTTP {answer.status}"
    assert shaped(408, answer.text.partition("\r\n\r\n")[2], facts)[1] == "request_timeout"


def generator(environment: Environment) -> ServedModel:
    """A model that generates text and always runs."""
    model = next((m for m in environment.outputs.models if m.task == "generate" and not m.scale_to_zero), None)
    if model is None:
        not_asked("no model that generates text always runs")
    return model


def test_logs(environment: Environment, cluster: Cluster, facts: dict[str, Fact]) -> None:
    """Neither key, prompt nor query of a request is in any log of gateway, mesh or model server; its tenant is."""
    if environment.outputs.access.mode != "keys":
        not_asked("the stack's gateway asks for no keys")
    model = generator(environment)
    marker = f"marker-{time.monotonic_ns()}"
    key, record = keys.issuer(environment).token(keys.caller(environment, model).name, keys.LIFETIME)
    asked = {"model": model.served_name, "prompt": marker, "max_tokens": 1}
    with http_client(environment, key=key) as client:
        status = client.post(f"{model.url}/completions", params={"note": marker}, json=asked).status_code
    assert status == 200, f"it was answered HTTP {status}"
    places = [GATEWAY_PODS, ("-n", model.namespace, "-l", f"serving.kserve.io/inferenceservice={model.name}")]

    def logs() -> str:
        return "".join(cluster.logs(*place) for place in places)

    assert wait_until(lambda: record.id in logs(), seconds=30), "the request is not in the gateway's log at all"
    written = logs()
    facts["bytes of logs read"] = len(written)
    lines = [json.loads(line) for line in written.splitlines() if line.startswith("{") and record.id in line]
    assert {line["tenant"] for line in lines} == {record.tenant}, f"the log says {lines}"
    leaked = [what for what, text in (("key", key), ("prompt or query", marker)) if text in written]
    assert not leaked, f"in a log: {', '.join(leaked)}"
