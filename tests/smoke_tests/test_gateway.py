from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2
import pytest

from smoke_tests.environment import Environment
from smoke_tests.gateway import OTHER_AUTHORITY, http_client, openai_client

if TYPE_CHECKING:
    from tests.smoke_tests.conftest import Behaviour


def test_a_model_is_asked_by_its_own_name_at_the_gateways_address(
    environment: Environment, behaviour: Behaviour
) -> None:
    with openai_client(environment, environment.outputs.models[0]) as client:
        assert [m.id for m in client.models.list()] == ["chat"]
    assert behaviour.names == ["chat-models.example.test"]
    assert behaviour.hosts == ["chat-models.example.test"]


def test_another_authority_does_not_verify_the_gateway(environment: Environment) -> None:
    client = http_client(environment, authority=OTHER_AUTHORITY)
    with client, pytest.raises(httpx2.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        client.get("https://chat-models.example.test/v1/models")


def test_a_name_that_the_certificate_does_not_cover_is_refused(environment: Environment) -> None:
    with http_client(environment) as client, pytest.raises(httpx2.ConnectError, match="Hostname mismatch"):
        client.get("https://chat.models.elsewhere.test/v1/models")
