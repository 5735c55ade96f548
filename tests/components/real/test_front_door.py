"""The front door by the programs that make it: istiod translates the product's objects, Envoy enforces them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from access.issuer import Issuer as KeyIssuer
from access.issuer import IssuerKey
from components import front_door
from components.front_door import Access, Door, Issuer, Tenant
from components.gateway_limits import Limits
from components.istio import IstioArgs, istiod_values
from tests.components.harness import make_site
from tests.components.real.mesh import Gateway

pytestmark = pytest.mark.slow

HOST, OTHER = "chat-models.models.test", "embed-models.models.test"
PATHS = ("/v1/models", "/v1/models/*", "/v1/chat/completions")
SERVICE = "chat-predictor.models.svc.cluster.local"
LIMITS = Limits(request_bytes=1000, header_seconds=2, request_seconds=3, concurrent_requests=3)
DOORS = {"models/chat": Door(HOST, PATHS, "models", 5), "models/embed": Door(OTHER, PATHS, "models", 5)}
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> KeyIssuer:
    made = KeyIssuer(tmp_path_factory.mktemp("issuer") / "access")
    made.create("keys.models.test", "models.test")
    return made


@pytest.fixture(scope="module")
def before_rotation(keys: KeyIssuer) -> str:
    """A key that was issued before the issuer got the key that it signs with now."""
    token, _ = keys.key().token("research", HOUR)
    keys.rotate()
    return token


@pytest.fixture(scope="module")
def idp(tmp_path_factory: pytest.TempPathFactory) -> KeyIssuer:
    """An identity provider of the site."""
    made = KeyIssuer(tmp_path_factory.mktemp("idp") / "access")
    made.create("https://idp.site/realm", "llm")
    return made


@pytest.fixture(scope="module")
def revoked(keys: KeyIssuer, before_rotation: str) -> tuple[str, str]:
    """A key that was issued and revoked, and its id."""
    token, record = keys.key().token("research", HOUR)
    return token, record.id


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The mesh's configuration as the product has it, without the certificates that nobody hands out here."""
    site = make_site(tmp_path_factory.mktemp("site"))
    return {**istiod_values(IstioArgs(site))["meshConfig"], "enableAutoMtls": False}


@pytest.fixture(scope="module")
def running(
    gateway: Gateway, mesh: dict[str, Any], keys: KeyIssuer, idp: KeyIssuer, revoked: tuple[str, str]
) -> Iterator[Gateway]:
    access = Access(
        [
            Issuer("keys.models.test", keys.jwks(), ["models.test"], revoked=[revoked[1]]),
            Issuer("https://idp.site/realm", idp.jwks(), ["llm"], tenant_claim="team"),
        ],
        [
            Tenant("research", ["models/chat", "models/embed"], 6000),
            Tenant("website", ["models/chat"], 6000),
            Tenant("trial", ["models/chat"], 5),
            Tenant("idle", [], 5),
        ],
        LIMITS,
    )
    gateway.apply(front_door.documents(access, DOORS))
    gateway.apply(gateway.routes([HOST, OTHER], SERVICE))
    with gateway.running(mesh):
        gateway.until("the front door is there", lambda: "sealift.credentials" in gateway.config())
        yield gateway


Ask = Callable[..., httpx2.Response]


@pytest.fixture
def ask(running: Gateway, keys: KeyIssuer) -> Ask:
    """A request by a key of ``tenant``, or by ``key``; None: without one."""

    def ask(
        path: str = "/v1/models",
        *,
        tenant: str | None = "research",
        key: str | None = None,
        host: str = HOST,
        method: str = "GET",
        headers: dict[str, str] | None = None,
        **options: Any,  # noqa: ANN401 - as httpx2 has them
    ) -> httpx2.Response:
        token = key or (keys.key().token(tenant, HOUR)[0] if tenant else None)
        given = {"authorization": f"Bearer {token}"} if token else {}
        return running.request(method, path, host, headers=given | (headers or {}), **options)

    return ask


def error(answer: httpx2.Response) -> tuple[int, str, str]:
    """Status, code and message; the body must be an error of the API."""
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()["error"]
    assert set(body) == {"message", "type", "param", "code"}
    return answer.status_code, body["code"], body["message"]


def test_a_key_of_a_tenant_opens_its_models(ask: Ask) -> None:
    assert [ask(tenant=t, host=h).status_code for t, h in [("research", HOST), ("research", OTHER)]] == [200, 200]


def test_a_key_of_the_sites_identity_provider_does_too(ask: Ask, idp: KeyIssuer) -> None:
    key = idp.key()
    claims = {"iss": key.issuer, "aud": "llm", "sub": "alice", "team": "website", "exp": int(time.time()) + 60}
    assert ask(key=key.sign(claims)).status_code == 200
    assert error(ask(key=key.sign(claims), host=OTHER))[0] == 403


def test_a_port_in_the_host_and_capitals_make_no_difference(ask: Ask) -> None:
    assert [ask(host=h).status_code for h in (f"{HOST}:30443", HOST.upper())] == [200, 200]


def signed(key: IssuerKey, **claims: object) -> str:
    good = {"iss": key.issuer, "aud": key.audience, "sub": "research", "tenant": "research"}
    return key.sign({**good, "exp": int(time.time()) + 60, **claims})


BAD_KEYS: dict[str, Callable[[IssuerKey], str]] = {
    "no token at all": lambda key: "sk-1234567890",
    "of another audience": lambda key: signed(key, aud="models.other"),
    "of another issuer by the same key": lambda key: signed(key, iss="https://idp.site/realm"),
    "of an issuer that nobody knows": lambda key: signed(key, iss="https://evil"),
    "expired": lambda key: signed(key, exp=int(time.time()) - 120),
    "not good yet": lambda key: signed(key, nbf=int(time.time()) + 3600),
    "altered": lambda key: signed(key)[:-6] + "AAAAAA",
    "unsigned": lambda key: "eyJhbGciOiJub25lIn0." + signed(key).split(".")[1] + ".",
}


@pytest.mark.parametrize("bad", BAD_KEYS.values(), ids=BAD_KEYS.keys())
def test_a_bad_key_is_refused_as_one(ask: Ask, keys: KeyIssuer, bad: Callable[[IssuerKey], str]) -> None:
    assert ask(key=signed(keys.key())).status_code == 200
    assert error(ask(key=bad(keys.key())))[:2] == (401, "invalid_api_key")


def test_a_key_by_a_stranger_who_calls_himself_the_issuer_is_refused(ask: Ask, tmp_path: Path) -> None:
    stranger = KeyIssuer(tmp_path / "other").create("keys.models.test", "models.test")
    assert error(ask(key=signed(stranger)))[:2] == (401, "invalid_api_key")


def test_keys_from_before_a_rotation_stay_good_until_their_issuers_old_key_is_retired(
    ask: Ask, before_rotation: str
) -> None:
    assert [ask(key=before_rotation).status_code, ask().status_code] == [200, 200]


def test_a_revoked_key_is_told_that_it_is(ask: Ask, revoked: tuple[str, str]) -> None:
    assert error(ask(key=revoked[0])) == (401, "invalid_api_key", "The API key has been revoked.")


@pytest.mark.parametrize("where", ["nowhere", "in the address", "in a cookie", "in another header", "by basic auth"])
def test_a_key_counts_in_the_authorization_header_alone(ask: Ask, keys: KeyIssuer, where: str) -> None:
    key = keys.key().token("research", HOUR)[0]
    options: dict[str, Any] = {
        "nowhere": {},
        "in the address": {"path": f"/v1/models?access_token={key}"},
        "in a cookie": {"headers": {"cookie": f"access_token={key}"}},
        "in another header": {"headers": {"x-api-key": key}},
        "by basic auth": {"headers": {"authorization": f"Basic {key}"}},
    }[where]
    answer = ask(tenant=None, **options)
    assert error(answer)[:2] == (401, "invalid_api_key")
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_nobody_says_for_himself_which_tenant_he_is(ask: Ask, running: Gateway) -> None:
    assert error(ask(tenant=None, headers={"x-sealift-tenant": "research"}))[0] == 401
    assert error(ask(tenant="website", host=OTHER, headers={"x-sealift-tenant": "research"}))[0] == 403
    assert ask(headers={"x-sealift-tenant": "website", "x_sealift_tenant": "website"}).status_code == 200
    assert running.upstream.seen[-1]["x-sealift-tenant"] == "research"
    assert "x_sealift_tenant" not in running.upstream.seen[-1]


@pytest.mark.parametrize(
    ("who", "host"),
    [("website", OTHER), ("idle", HOST), ("nobody-knows", HOST), ("research", "elsewhere.models.test")],
)
def test_another_tenants_model_is_refused(ask: Ask, who: str, host: str) -> None:
    assert error(ask(tenant=who, host=host))[:2] == (403, "model_not_allowed")


def test_a_token_for_several_tenants_at_once_is_for_none(ask: Ask, keys: KeyIssuer) -> None:
    assert error(ask(key=signed(keys.key(), tenant=["website", "research"])))[0] == 403


def test_the_model_server_sees_who_asks_and_never_a_key(ask: Ask, running: Gateway) -> None:
    assert ask(headers={"cookie": "a=b", "api-key": "c", "x-api-key": "d"}).status_code == 200
    seen = running.upstream.seen[-1]
    assert seen["x-sealift-tenant"] == "research"
    assert not {"authorization", "cookie", "api-key", "x-api-key"} & set(seen)


TRICKS = [
    "/metrics",
    "/v1/models/../../metrics",
    "/v1/models/%2e%2e/%2e%2e/metrics",
    "/v1/models/..%2f..%2fmetrics",
    "/v1/models/%2E%2E%2F%2E%2E%2Fmetrics",
    "/v1/models/..\\..\\metrics",
    "/v1/models/..%5c..%5cmetrics",
    "/v1/models;/../metrics",
    "/v1/models/..;/..;/metrics",
    "/v1/chat/completions/../../../metrics",
    "//metrics",
    "/v1/chat/completions/",
    "/V1/MODELS",
]


@pytest.mark.parametrize("path", TRICKS)
def test_no_way_of_writing_a_path_gets_round_the_allow_list(running: Gateway, keys: KeyIssuer, path: str) -> None:
    assert raw(running, keys, "/v1//models") == 200
    before = len(running.upstream.seen)
    assert raw(running, keys, path) in (400, 403)
    assert len(running.upstream.seen) == before


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "HEAD"])
def test_other_methods_are_refused(ask: Ask, method: str) -> None:
    assert ask(method=method).status_code == 403


def raw(gateway: Gateway, keys: KeyIssuer, path: str) -> int:
    """The status for ``path`` exactly as it is written."""
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
    connection.putrequest("GET", path, skip_host=True, skip_accept_encoding=True)
    connection.putheader("host", HOST)
    connection.putheader("authorization", f"Bearer {keys.key().token('research', HOUR)[0]}")
    connection.endheaders()
    status = connection.getresponse().status
    connection.close()
    return status


def test_a_request_that_is_too_large_is_refused_whether_it_says_its_size_or_not(ask: Ask) -> None:
    fits, over = b"x" * LIMITS.request_bytes, b"x" * (LIMITS.request_bytes + 1)
    assert ask("/v1/chat/completions", method="POST", content=fits).status_code == 200
    for content in (over, iter([over])):
        answer = ask("/v1/chat/completions", method="POST", content=content)
        assert error(answer)[:2] == (413, "request_too_large")


def test_a_tenant_that_asks_too_often_is_told_when_to_come_back_and_no_other_suffers(ask: Ask) -> None:
    answers = [ask(tenant="trial") for _ in range(8)]
    assert [a.status_code for a in answers[:5]] == [200] * 5
    assert error(answers[-1])[:2] == (429, "rate_limit_exceeded")
    assert 0 < int(answers[-1].headers["retry-after"]) <= 60
    assert answers[-1].headers["x-ratelimit-limit"] == "5"
    assert ask(tenant="website").status_code == 200


def test_a_model_takes_so_many_at_a_time_and_refuses_the_rest_at_once(ask: Ask) -> None:
    with ThreadPoolExecutor(9) as pool:
        answers = list(pool.map(lambda _: ask("/v1/models/slow"), range(9)))
    statuses = sorted(a.status_code for a in answers)
    assert statuses == [200] * LIMITS.concurrent_requests + [503] * (9 - LIMITS.concurrent_requests)
    refused = next(a for a in answers if a.status_code == 503)
    assert error(refused)[1] == "model_overloaded"
    assert refused.headers["retry-after"] == "2"
    assert ask().status_code == 200


def dribble(gateway: Gateway, start: bytes, drop: bytes, seconds: float) -> tuple[bytes, float]:
    """What comes back when ``start`` is sent and then ``drop`` again and again, and after how many seconds."""
    import socket

    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=0.2) as connection:
        connection.sendall(start)
        while time.monotonic() - began < seconds:
            try:
                if answer := connection.recv(65536):
                    return answer, time.monotonic() - began
            except TimeoutError:
                connection.sendall(drop)
    return b"", time.monotonic() - began


def test_headers_that_drip_in_are_cut_off(running: Gateway) -> None:
    answer, seconds = dribble(running, b"GET /v1/models HTTP/1.1\r\nhost: x\r\n", b"a: b\r\n", 10)
    assert b" 408 " in answer and b'"request_timeout"' in answer
    assert seconds < LIMITS.header_seconds + 3


def test_a_body_that_drips_in_is_cut_off_and_the_model_never_hears_of_it(running: Gateway, keys: KeyIssuer) -> None:
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: {HOST}\r\ncontent-length: 500\r\n"
    key = f"authorization: Bearer {keys.key().token('research', HOUR)[0]}\r\n\r\n"
    before = len(running.upstream.seen)
    answer, seconds = dribble(running, (head + key).encode(), b"x", 12)
    assert b" 408 " in answer and b'"request_timeout"' in answer
    assert seconds < LIMITS.request_seconds + 4
    assert len(running.upstream.seen) == before


def test_an_answer_that_takes_too_long_and_one_in_plain_text_become_errors_of_the_api(ask: Ask) -> None:
    assert error(ask("/v1/models/plain"))[:2] == (503, "model_unavailable")
    assert "10.1.2.3" not in ask("/v1/models/plain").text


def test_neither_keys_nor_prompts_nor_queries_are_in_the_log_but_who_asked_is(
    ask: Ask, running: Gateway, keys: KeyIssuer
) -> None:
    key, record = keys.key().token("research", HOUR)
    answer = ask("/v1/chat/completions?secret=in-a-query", method="POST", key=key, content=b"secret-of-a-prompt")
    assert answer.status_code == 200
    running.until("the request is in the log", lambda: record.id in running.log())
    line = json.loads(next(text for text in running.log().splitlines() if record.id in text))
    assert (line["tenant"], line["path"], line["response_code"]) == ("research", "/v1/chat/completions", 200)
    assert not [w for w in (key, "in-a-query", "secret-of-a-prompt") if w in running.log()]


def test_istiod_asks_for_tls_1_3_on_a_listener_that_does_not_say(running: Gateway) -> None:
    running.listen_with_tls()
    running.until("the listener is there", lambda: "/none.crt" in running.config())
    assert '"tls_minimum_protocol_version": "TLSv1_3"' in running.config()
