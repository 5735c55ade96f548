from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from access.issuer import Issuer
from components.front_door import Access
from mirror.errors import BadInput
from stacks import access, config
from tests.components.harness import CLUSTER

MODEL = {"model": "tiny", "runtime": "vllm-cpu"}
MODELS = [{**MODEL, "name": "chat"}, {**MODEL, "name": "batch"}, {**MODEL, "name": "batch", "namespace": "lab"}]
PUBLIC = {"keys": [{"kty": "EC", "crv": "P-256", "kid": "k", "x": "", "y": ""}]}
ISSUERS = {"issuers": [{"issuer": "keys.a.test", "jwks": PUBLIC}]}
RESEARCH = {"name": "research", "models": ["chat"]}


def read(**values: Any) -> config.StackConfig:  # noqa: ANN401
    return config.read(
        {"receipt": "r.json", "cluster": CLUSTER, "domain": "a.test", "models": MODELS, **values}, "test"
    )


def parsed(directory: Path, **values: Any) -> Access:  # noqa: ANN401
    stack = read(**values)
    return access.parsed(
        stack.access,
        stack.tenants,
        stack.limits,
        is_open=stack.gatewayOpenToAnyoneWhoReachesIt,
        models=stack.model_keys,
        domain=stack.domain,
        directory=directory,
    )


@pytest.fixture
def jwks(tmp_path: Path) -> str:
    """A file of public keys, relative to ``tmp_path``."""
    Issuer(tmp_path / "access").create("keys.a.test", "a.test")
    return "access/jwks.json"


def test_a_stack_that_says_nothing_is_closed(tmp_path: Path) -> None:
    assert parsed(tmp_path).mode == "closed"


def test_opening_takes_a_key_that_says_so(tmp_path: Path) -> None:
    assert parsed(tmp_path, gatewayOpenToAnyoneWhoReachesIt=True).mode == "open"


def test_an_issuers_keys_are_read_from_a_file_beside_the_stack(tmp_path: Path, jwks: str) -> None:
    (issuer,) = parsed(
        tmp_path, access={"issuers": [{"issuer": "keys.a.test", "jwks": jwks}]}, tenants=[RESEARCH]
    ).issuers
    assert issuer.jwks == json.loads((tmp_path / jwks).read_text())
    assert (issuer.audiences, issuer.tenant_claim, issuer.revoked) == (["a.test"], "tenant", [])


def test_an_issuers_keys_may_stand_in_the_stack(tmp_path: Path, jwks: str) -> None:
    inline = json.loads((tmp_path / jwks).read_text())
    (issuer,) = parsed(
        tmp_path, access={"issuers": [{"issuer": "x", "jwks": inline, "audiences": ["llm"]}]}, tenants=[RESEARCH]
    ).issuers
    assert (issuer.jwks, issuer.audiences) == (inline, ["llm"])


def test_a_private_key_in_a_stack_is_refused(tmp_path: Path, jwks: str) -> None:
    private = {"keys": [Issuer(tmp_path / "access").key().key]}
    with pytest.raises(BadInput, match="private key"):
        parsed(tmp_path, access={"issuers": [{"issuer": "x", "jwks": private}]}, tenants=[RESEARCH])


def test_a_missing_file_of_keys_is_refused_with_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        parsed(tmp_path, access={"issuers": [{"issuer": "x", "jwks": "no.json"}]}, tenants=[RESEARCH])
    assert "sealift access issuer" in caught.value.instead


def test_a_tenants_models_are_found_by_name_and_its_rate_is_the_limits_unless_it_has_one(
    tmp_path: Path, jwks: str
) -> None:
    tenants = [{"name": "a", "models": ["chat", "lab/batch"]}, {"name": "b", "requestsPerMinute": 5}]
    found = parsed(
        tmp_path,
        access={"issuers": [{"issuer": "x", "jwks": jwks}]},
        tenants=tenants,
        limits={"requestsPerMinute": 77},
    ).tenants
    assert [(t.name, t.models, t.requests_per_minute) for t in found] == [
        ("a", ["models/chat", "lab/batch"], 77),
        ("b", [], 5),
    ]


def test_limits_reach_the_components(tmp_path: Path) -> None:
    assert parsed(tmp_path, limits={"requestBytes": 2**20}).limits.request_bytes == 2**20


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"tenants": [RESEARCH]}, "tenants need access"),
        ({"access": ISSUERS}, "access needs tenants"),
        ({"access": ISSUERS, "tenants": [{"name": "a", "models": ["chaat"]}]}, "the stack has no model chaat"),
        ({"access": ISSUERS, "tenants": [{"name": "a", "models": ["batch"]}]}, "batch is in several namespaces"),
        ({"access": ISSUERS, "tenants": [RESEARCH, RESEARCH]}, "tenant research is listed more than once"),
        ({"access": {"issuers": ISSUERS["issuers"] * 2}, "tenants": [RESEARCH]}, "issuer keys.a.test is listed more"),
        ({"access": {"issuers": []}}, "access.issuers"),
        ({"access": {"issuers": [{"issuer": "https://*", "jwks": PUBLIC}]}}, "access.issuers.0.issuer"),
        ({"access": {"issuers": [{"issuer": "x", "jwks": PUBLIC, "jwksUri": "https://x"}]}}, "jwksUri"),
        ({"access": {"issuers": [{"issuer": "x", "jwks": PUBLIC, "tenantClaim": "https://x/t"}]}}, "tenantClaim"),
        ({"access": {"issuers": [{"issuer": "x", "jwks": PUBLIC, "revoked": ["*"]}]}}, "revoked"),
        ({"access": ISSUERS, "tenants": [{"name": "*", "models": []}]}, "tenants.0.name"),
        ({"gatewayOpenToAnyoneWhoReachesIt": True, "access": ISSUERS, "tenants": [RESEARCH]}, "asks nobody for a key"),
        ({"limits": {"requestBytes": 0}}, "limits.requestBytes"),
        ({"limits": {"requestSeconds": 0}}, "limits.requestSeconds"),
        ({"limits": {"off": True}}, "limits.off"),
    ],
)
def test_what_cannot_be_meant_is_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput) as caught:
        read(**values)
    assert said in str(caught.value)
