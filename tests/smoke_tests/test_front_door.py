"""The checks of the front door against a gateway that lets everybody in: each of them must notice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from access.issuer import IssuerKey
from smoke_tests import session
from smoke_tests.bad_keys import BAD_KEYS
from smoke_tests.cluster import Cluster
from smoke_tests.environment import Environment
from smoke_tests.evidence import CheckResult, Group, Result

if TYPE_CHECKING:
    from tests.smoke_tests.conftest import Behaviour

pytestmark = pytest.mark.slow  # whole runs of the checks

KEY = IssuerKey.new("keys.example.test", "example.test")
# What waits, and what needs a cluster, is left out.
QUICK = f"-k 'not slow and not change and not logs' --ignore={session.CHECKS / 'test_attacks.py'}"


@pytest.fixture
def checked(
    outputs: dict[str, Any],
    make_environment: Callable[[], Environment],
    cluster: Cluster,
    behaviour: Behaviour,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[], list[CheckResult]]:
    monkeypatch.setenv("PYTEST_ADDOPTS", QUICK)
    behaviour.open_paths = ("/version",)
    issuer = {"issuer": KEY.issuer, "audiences": [KEY.audience], "tenantClaim": "tenant", "revoked": ["lost"]}
    tenants = [{"name": "trial", "models": ["models/chat"], "requestsPerMinute": 5}]
    outputs["access"] |= {"mode": "keys", "issuers": [issuer], "tenants": tenants}

    def run() -> list[CheckResult]:
        environment = replace(make_environment(), issuer_key=KEY)
        found = session.run(environment, cluster, only=frozenset({Group.FRONT_DOOR}))
        return [c for c in found.checks if c.group is Group.FRONT_DOOR]

    return run


def failed(checks: list[CheckResult]) -> set[str]:
    return {c.sentence for c in checks if c.result is Result.FAILED}


def test_a_gateway_that_lets_everybody_in_fails(checked: Callable[[], list[CheckResult]]) -> None:
    sentences = failed(checked())
    assert {f"A key {bad.name} is refused." for bad in BAD_KEYS} <= sentences
    assert {
        "Without a key chat (Standard mode) answers nobody.",
        "A key that the stack revokes is refused, and told so; the same key under another id is not.",
        "A good key of a tenant that the stack does not know opens nothing, whoever else it says it is.",
        "The gateway speaks TLS 1.3 about chat (Standard mode) and nothing older.",
        "However it is written, /version does not lead past the API of chat.",
        "A request larger than the stack's limit is refused; one just below it is answered.",
    } <= sentences


def test_nothing_is_proved_about_keys_while_the_model_is_down(
    checked: Callable[[], list[CheckResult]], behaviour: Behaviour
) -> None:
    behaviour.models_status = 503
    results = [c.result for c in checked()]
    assert Result.FAILED in results
    assert Result.PASSED not in results


def test_an_open_gateway_is_not_asked_who_gets_in(
    checked: Callable[[], list[CheckResult]], outputs: dict[str, Any]
) -> None:
    outputs["access"] |= {"mode": "open", "issuers": [], "tenants": []}
    about_keys = [c for c in checked() if " key" in c.sentence]
    assert {c.result for c in about_keys} == {Result.NOT_ASKED}
    assert about_keys
