"""Who gets in through the gateway, and to what. Each refusal has a control beside it."""

from __future__ import annotations

import ssl

import httpx2
import pytest

from smoke_tests import bad_keys, keys, raw_http
from smoke_tests.bad_keys import BAD_KEYS, BadKey
from smoke_tests.environment import Environment, ServedModel, TenantAccess
from smoke_tests.evidence import Fact, Group
from smoke_tests.gateway import COLD_SECONDS, http_client, trust
from smoke_tests.plugin import not_asked
from smoke_tests.refusals import control, models_list, refusal

GROUP = Group.FRONT_DOOR
# None of these may reach what is beside the API, however it is written. /health and /version only read.
TRICKS = (
    "/version",
    "/v1/models/../../version",
    "/v1/models/%2e%2e/%2e%2e/version",
    "/v1/models/..%2f..%2fversion",
    "/v1/models/%2E%2E%2F%2E%2E%2Fversion",
    "/v1/models/..%5c..%5cversion",
    "/v1/models/..\\..\\version",
    "/v1/models;/../version",
    "/v1/models/..;/..;/version",
    "//version",
    "/v1/chat/completions/../../../version",
)


@pytest.fixture(autouse=True)
def keys_are_asked_for(environment: Environment) -> None:
    mode = environment.outputs.access.mode
    if mode != "keys":
        not_asked(f"the stack's gateway is {mode}")


@pytest.fixture
def tenant(environment: Environment, steady: ServedModel) -> str:
    return keys.caller(environment, steady).name


def test_no_key(environment: Environment, typical_model: ServedModel, facts: dict[str, Fact]) -> None:
    """Without a key {typical_model.name} ({typical_model.mode} mode) answers nobody."""
    control(environment, typical_model)
    assert refusal(models_list(environment, typical_model, None), facts) == (401, "invalid_api_key")


@pytest.mark.parametrize("bad", BAD_KEYS, ids=lambda b: b.name)
def test_bad_key(
    environment: Environment, steady: ServedModel, tenant: str, bad: BadKey, facts: dict[str, Fact]
) -> None:
    """A key {bad.name} is refused."""
    control(environment, steady)
    answer = models_list(environment, steady, bad.make(keys.issuer(environment), tenant))
    assert refusal(answer, facts) == (401, "invalid_api_key")


def test_revoked_key(environment: Environment, steady: ServedModel, tenant: str, facts: dict[str, Fact]) -> None:
    """A key that the stack revokes is refused, and told so; the same key under another id is not."""
    key = keys.issuer(environment)
    revoked = [i for t in environment.outputs.access.issuers if t.issuer == key.issuer for i in t.revoked]
    if not revoked:
        not_asked("the stack revokes no key of this issuer")
    control_status = models_list(environment, steady, key.sign(bad_keys.claims(key, tenant))).status_code
    assert control_status == 200, f"the same key under another id is answered HTTP {control_status} as well"
    answer = models_list(environment, steady, key.sign(bad_keys.claims(key, tenant, jti=revoked[0])))
    assert refusal(answer, facts) == (401, "invalid_api_key")
    assert "revoked" in answer.text


def test_key_elsewhere(environment: Environment, steady: ServedModel, facts: dict[str, Fact]) -> None:
    """A key counts in the Authorization header alone: in the address, where logs would keep it, it opens nothing."""
    control(environment, steady)
    key = keys.for_model(environment, steady)
    with http_client(environment) as client:
        answer = client.get(f"{steady.url}/models", params={"access_token": key or ""})
    assert refusal(answer, facts) == (401, "invalid_api_key")


def test_unknown_tenant(environment: Environment, steady: ServedModel, facts: dict[str, Fact]) -> None:
    """A good key of a tenant that the stack does not know opens nothing, whoever else it says it is."""
    control(environment, steady)
    with http_client(environment, key=keys.of_tenant(environment, "nobody-knows-me")) as client:
        known = keys.caller(environment, steady).name
        answer = client.get(f"{steady.url}/models", headers={"x-sealift-tenant": known})
    assert refusal(answer, facts) == (403, "model_not_allowed")


def shut_out(environment: Environment) -> tuple[TenantAccess, ServedModel] | None:
    """A tenant with a model that it may not call."""
    access = environment.outputs.access
    pairs = [(t, m) for t in access.tenants for m in environment.outputs.models if t.models and m.key not in t.models]
    return pairs[0] if pairs else None


def test_another_tenants_model(environment: Environment, facts: dict[str, Fact]) -> None:
    """A tenant gets its own models and no other tenant's."""
    found = shut_out(environment)
    if found is None:
        not_asked("every tenant of the stack may call every model")
    tenant, other = found
    key = keys.of_tenant(environment, tenant.name)
    own = next(m for m in environment.outputs.models if m.key in tenant.models)
    assert models_list(environment, own, key).status_code == 200, (
        f"{tenant.name} does not get its own {own.name} either"
    )
    control(environment, other)
    facts["tenant"], facts["model"] = tenant.name, other.key
    assert refusal(models_list(environment, other, key), facts) == (403, "model_not_allowed")


@pytest.mark.parametrize("path", TRICKS)
def test_path(environment: Environment, typical_model: ServedModel, path: str, facts: dict[str, Fact]) -> None:
    """However it is written, {path} does not lead past the API of {typical_model.name}."""
    key = keys.for_model(environment, typical_model)

    def status(written: str) -> int:
        request = raw_http.get(written, typical_model.host, key)
        return raw_http.ask(environment, typical_model.host, request, patience=COLD_SECONDS).status

    assert status("/v1/models") == 200, "even the models list is not answered"
    facts["answer"] = f"HTTP {status(path)}"
    assert facts["answer"] in ("HTTP 400", "HTTP 403")


def test_old_tls(environment: Environment, typical_model: ServedModel, facts: dict[str, Fact]) -> None:
    """The gateway speaks TLS 1.3 about {typical_model.name} ({typical_model.mode} mode) and nothing older."""
    key = keys.for_model(environment, typical_model)
    assert with_tls(environment, typical_model, ssl.TLSVersion.TLSv1_3, key) == "HTTP 200"
    older = with_tls(environment, typical_model, ssl.TLSVersion.TLSv1_2, key)
    facts["TLS 1.2"] = older
    assert "protocol version" in older.lower().replace("_", " "), f"it was answered {older}"


def with_tls(environment: Environment, model: ServedModel, version: ssl.TLSVersion, key: str | None) -> str:
    context = trust(environment.outputs.ca_certificate)
    context.minimum_version = context.maximum_version = version
    try:
        with http_client(environment, key=key, context=context) as client:
            return f"HTTP {client.get(f'{model.url}/models').status_code}"
    except httpx2.TransportError as e:
        return str(e)
