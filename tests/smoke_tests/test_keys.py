from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet
from joserfc.jwt import JWTClaimsRegistry

from access.issuer import IssuerKey
from mirror.errors import BadInput
from smoke_tests import bad_keys, keys, raw_http
from smoke_tests.bad_keys import BAD_KEYS, BadKey
from smoke_tests.environment import Environment
from smoke_tests.gateway import openai_client

if TYPE_CHECKING:
    from tests.smoke_tests.conftest import Pki

KEY = IssuerKey.new("keys.example.test", "example.test")
ISSUER = {"issuer": KEY.issuer, "audiences": [KEY.audience], "tenantClaim": "tenant", "revoked": []}


def tenant(name: str, rate: int, *models: str) -> dict[str, Any]:
    return {"name": name, "models": list(models), "requestsPerMinute": rate}


@pytest.fixture
def asking(outputs: dict[str, Any], make_environment: Callable[[], Environment]) -> Environment:
    """A platform whose gateway asks for keys, and the operator lends what makes them."""
    tenants = [tenant("trial", 5, "models/chat"), tenant("research", 600, "models/chat"), tenant("lab", 900, "lab/x")]
    outputs["access"] |= {"mode": "keys", "issuers": [ISSUER], "tenants": tenants}
    return replace(make_environment(), issuer_key=KEY)


def claims(token: str) -> dict[str, Any]:
    return jwt.decode(token, ECKey.import_key(KEY.public), ["ES256"]).claims


def test_a_model_is_called_by_the_tenant_that_may_call_it_most_often(asking: Environment) -> None:
    model = asking.outputs.models[0]
    with openai_client(asking, model) as client:
        assert claims(client.api_key)["tenant"] == "research"
    with openai_client(asking, model, tenant="trial") as client:
        assert claims(client.api_key)["tenant"] == "trial"


def test_a_model_of_the_checks_own_is_called_by_somebody_too(asking: Environment) -> None:
    trial = asking.outputs.models[0].model_copy(update={"name": "made-for-a-check"})
    assert keys.caller(asking, trial).name == "lab"


def test_an_open_gateway_is_called_without_a_key(environment: Environment) -> None:
    assert keys.for_model(environment, environment.outputs.models[0]) is None


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (None, "--issuer-key"),
        (IssuerKey.new("keys.other.test", "example.test"), "keys.example.test"),
        (IssuerKey.new("keys.example.test", "other.test"), "keys.example.test"),
    ],
    ids=["none", "of another issuer", "for another environment"],
)
def test_a_key_that_nobody_would_believe_is_refused_before_anything_is_asked(
    asking: Environment, key: IssuerKey | None, said: str
) -> None:
    with pytest.raises(BadInput) as caught:
        keys.issuer(replace(asking, issuer_key=key))
    assert said in caught.value.instead


def test_a_closed_gateway_is_said_to_be_one(asking: Environment, outputs: dict[str, Any]) -> None:
    access = asking.outputs.access.model_copy(update={"mode": "closed"})
    closed = replace(asking, outputs=asking.outputs.model_copy(update={"access": access}))
    with pytest.raises(BadInput, match="it is closed"):
        keys.for_model(closed, closed.outputs.models[0])


def verified(token: str) -> bool:
    """As a careful server would judge it."""
    registry = JWTClaimsRegistry(
        iss={"essential": True, "value": KEY.issuer}, aud={"essential": True, "value": KEY.audience}
    )
    try:
        registry.validate(jwt.decode(token, KeySet([ECKey.import_key(KEY.public)]), ["ES256"]).claims)
    except (JoseError, ValueError):
        return False
    return True


@pytest.mark.parametrize("bad", BAD_KEYS, ids=lambda b: b.name)
def test_a_bad_key_is_bad_and_the_good_one_that_it_is_made_from_is_good(bad: BadKey) -> None:
    assert verified(KEY.sign(bad_keys.claims(KEY, "research")))
    assert not verified(bad.make(KEY, "research"))


def test_a_key_of_the_checks_ends_soon(asking: Environment) -> None:
    found = claims(keys.of_tenant(asking, "research"))
    assert timedelta(seconds=found["exp"] - found["iat"]) <= timedelta(hours=2)


@pytest.fixture
def slow_server(pki: Pki) -> Iterator[tuple[int, list[bytes]]]:
    """A server that answers 408 once three pieces have come, and what it got."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki.certificate, pki.key)
    got: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError), context.wrap_socket(listener.accept()[0], server_side=True) as connection:
            while len(got) < 3:
                got.append(connection.recv(4096))
            connection.sendall(b"HTTP/1.1 408 Request Timeout\r\n\r\n" + json.dumps({"error": {}}).encode())

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1], got
    listener.close()
    thread.join()


def test_a_slow_request_is_sent_piece_by_piece_until_it_is_answered(
    environment: Environment, slow_server: tuple[int, list[bytes]]
) -> None:
    port, got = slow_server
    start = raw_http.head("GET", "/v1/models", "chat-models.example.test", "k")
    there = replace(environment, port=port)
    answer = raw_http.ask(there, "chat-models.example.test", start, drop=b"a: b\r\n", every=0.05, patience=60)
    assert (answer.status, got[0]) == (408, start)
    assert got[1:] == [b"a: b\r\n"] * 2
    assert answer.seconds < 60


def test_a_path_is_sent_as_it_is_written() -> None:
    request = raw_http.get("/v1/models/..%2f../metrics", "h", None)
    assert request.startswith(b"GET /v1/models/..%2f../metrics HTTP/1.1\r\n")
    assert b"authorization" not in request
