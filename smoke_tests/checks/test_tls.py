"""TLS at the ingress gateway."""

from __future__ import annotations

import ssl

import httpx2
import pytest

from smoke_tests import keys
from smoke_tests.environment import Environment, ServedModel
from smoke_tests.evidence import Fact, Group
from smoke_tests.gateway import OTHER_AUTHORITY, http_client

GROUP = Group.API


def status(environment: Environment, model: ServedModel, *, authority: str | None = None) -> int:
    key = keys.for_model(environment, model)
    with http_client(environment, key=key, authority=authority) as client:
        return client.get(f"{model.url}/models").status_code


def test_certificate(environment: Environment, model: ServedModel, facts: dict[str, Fact]) -> None:
    """The gateway proves with a certificate of the stack's authority that it is {model.host}."""
    facts["TLS"] = f"verified for {model.host}"
    assert status(environment, model) == 200


def test_other_authority(environment: Environment, model: ServedModel, facts: dict[str, Fact]) -> None:
    """A client that trusts another authority refuses the gateway's certificate for {model.host}."""
    assert status(environment, model) == 200, "with the stack's own authority it does not answer either"
    with pytest.raises(httpx2.ConnectError) as raised:
        status(environment, model, authority=OTHER_AUTHORITY)
    facts["refused because"] = str(raised.value)
    assert "CERTIFICATE_VERIFY_FAILED" in str(raised.value), f"it failed for another reason: {raised.value}"


def test_plain_http(environment: Environment, model: ServedModel, facts: dict[str, Fact]) -> None:
    """The gateway's TLS port answers {model.name} to nobody who does not speak TLS."""
    assert status(environment, model) == 200, "with TLS it does not answer either"
    try:
        answer = httpx2.get(
            f"http://{environment.address}:{environment.port}/v1/models",
            headers={"host": model.host},
            trust_env=False,
            timeout=10,
        )
    except (httpx2.TransportError, ssl.SSLError) as e:
        facts["refused with"] = f"{type(e).__name__}: {e}"
        return
    facts["answer"] = f"HTTP {answer.status_code}"
    assert answer.status_code >= 400, f"it answered HTTP {answer.status_code} in plain text"
