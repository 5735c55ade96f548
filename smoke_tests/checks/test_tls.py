"""TLS at the ingress gateway."""

from __future__ import annotations

import ssl

import httpx2
import pytest

from smoke_tests.environment import Environment, ServedModel
from smoke_tests.evidence import Fact, Group
from smoke_tests.gateway import OTHER_AUTHORITY, http_client

GROUP = Group.API


def status(environment: Environment, url: str, *, authority: str | None = None) -> int:
    with http_client(environment, authority=authority) as client:
        return client.get(url).status_code


def test_certificate(environment: Environment, model: ServedModel, facts: dict[str, Fact]) -> None:
    """The gateway proves with a certificate of the stack's authority that it is {model.host}."""
    facts["TLS"] = f"verified for {model.host}"
    assert status(environment, f"{model.url}/models") == 200


def test_other_authority(environment: Environment, model: ServedModel, facts: dict[str, Fact]) -> None:
    """A client that trusts another authority refuses the gateway's certificate for {model.host}."""
    url = f"{model.url}/models"
    assert status(environment, url) == 200, "with the stack's own authority it does not answer either"
    with pytest.raises(httpx2.ConnectError) as raised:
        status(environment, url, authority=OTHER_AUTHORITY)
    facts["refused because"] = str(raised.value)
    assert "CERTIFICATE_VERIFY_FAILED" in str(raised.value), f"it failed for another reason: {raised.value}"


def test_plain_http(environment: Environment, model: ServedModel, facts: dict[str, Fact]) -> None:
    """The gateway's TLS port answers {model.name} to nobody who does not speak TLS."""
    assert status(environment, f"{model.url}/models") == 200, "with TLS it does not answer either"
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
