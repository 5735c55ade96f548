"""Who may go through the gateway, as the objects say it. What they do is shown in real/test_front_door.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from components import access_log, front_door, gateway_errors
from components.documents import Document
from components.front_door import Access, Door, Issuer, Tenant
from components.gateway_limits import Limits
from components.model import ModelArgs
from components.platform import Platform, PlatformArgs
from tests.components.harness import make_site, run

CHAT = Door("chat-models.a.test", ("/v1/models", "/v1/chat/completions"), "models", 600)
BATCH = Door("batch-predictor-lab.serverless.a.test", ("/v1/models",), "lab", 1200)
DOORS = {"models/chat": CHAT, "lab/batch": BATCH}
OURS = Issuer("keys.a.test", {"keys": [{"kid": "k"}]}, ["a.test"], revoked=["beef"])
OIDC = Issuer("https://idp.site", {"keys": [{"kid": "i"}]}, ["llm"], tenant_claim="team")
KEYS = Access(
    [OURS, OIDC], [Tenant("research", ["models/chat", "lab/batch"], 60), Tenant("website", ["models/chat"], 6)]
)


def made(access: Access, doors: dict[str, Door] = DOORS) -> dict[str, Document]:
    return {f"{d['kind']}/{d['metadata']['name']}": d for d in front_door.documents(access, doors)}


def patches(access: Access) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = made(access)["EnvoyFilter/front-door"]["spec"]["configPatches"]
    return found


def settings(access: Access, name: str) -> dict[str, Any]:
    (found,) = [p["patch"]["value"]["typed_config"] for p in patches(access) if p["patch"]["value"]["name"] == name]
    config: dict[str, Any] = found
    return config


def test_a_stack_that_says_nothing_opens_nothing() -> None:
    assert {k.partition("/")[0] for k in made(Access())} == {"EnvoyFilter", "DestinationRule"}
    assert Access().mode == "closed"


def test_a_tenant_may_call_its_models_and_no_other_by_tokens_of_each_issuer() -> None:
    rules = made(KEYS)["AuthorizationPolicy/tenant-website"]["spec"]["rules"]
    assert {r["to"][0]["operation"]["hosts"][0] for r in rules} == {CHAT.host}
    assert [r["when"][0]["values"] for r in rules] == [["keys.a.test"], ["https://idp.site"]]


def test_a_rule_asks_for_issuer_tenant_and_one_tenant_alone() -> None:
    (_, _, rule, _) = made(KEYS)["AuthorizationPolicy/tenant-research"]["spec"]["rules"]
    assert rule["when"] == [
        {"key": "request.auth.claims[iss]", "values": ["https://idp.site"]},
        {"key": "request.auth.claims[team]", "values": ["research"]},
        {"key": "request.headers[x-sealift-tenant]", "values": ["research"]},
    ]


def test_every_rule_of_every_mode_names_hosts_paths_and_methods() -> None:
    for access in (KEYS, Access(open_to_anyone=True)):
        allowing = [d for d in made(access).values() if d["spec"].get("action") == "ALLOW"]
        operations = [t["operation"] for d in allowing for r in d["spec"]["rules"] for t in r["to"]]
        assert operations
        assert all(o["hosts"] and o["paths"] and o["methods"] == ["GET", "POST"] for o in operations)


def test_a_port_in_the_host_changes_nothing() -> None:
    hosts = made(KEYS)["AuthorizationPolicy/tenant-website"]["spec"]["rules"][0]["to"][0]["operation"]["hosts"]
    assert hosts == ["chat-models.a.test", "chat-models.a.test:*"]


def test_a_tenant_without_models_gets_no_rule_which_would_mean_everything_denied_or_allowed() -> None:
    assert "AuthorizationPolicy/tenant-idle" not in made(Access([OURS], [Tenant("idle", [], 6)]))


def test_revoked_keys_are_denied_by_issuer_and_id() -> None:
    policy = made(KEYS)["AuthorizationPolicy/revoked-keys"]["spec"]
    assert policy["action"] == "DENY"
    assert [[w["values"] for w in r["when"]] for r in policy["rules"]] == [[["keys.a.test"], ["beef"]]]


def test_without_revoked_keys_there_is_no_deny_policy_which_would_deny_everybody() -> None:
    assert "AuthorizationPolicy/revoked-keys" not in made(Access([OIDC], []))


def test_keys_are_verified_offline_read_from_the_header_alone_and_not_passed_on() -> None:
    rules = made(KEYS)["RequestAuthentication/front-door"]["spec"]["jwtRules"]
    assert [json.loads(r["jwks"]) for r in rules] == [OURS.jwks, OIDC.jwks]
    for rule in rules:
        assert "jwksUri" not in rule
        assert rule["fromHeaders"] == [{"name": "Authorization", "prefix": "Bearer "}]
        assert rule["forwardOriginalToken"] is False
    assert [r["audiences"] for r in rules] == [["a.test"], ["llm"]]


def test_everything_is_at_the_gateway_and_nowhere_else() -> None:
    for document in made(KEYS).values():
        spec = document["spec"]
        selector = spec.get("selector", spec.get("workloadSelector", {}))
        assert selector in ({"matchLabels": {"istio": "ingressgateway"}}, {"labels": {"istio": "ingressgateway"}})
        assert document["metadata"]["namespace"] == "istio-system"


def test_each_tenant_has_its_own_rate_and_who_is_none_of_them_the_default() -> None:
    rates = settings(KEYS, "envoy.filters.http.local_ratelimit")
    assert {d["entries"][0]["value"]: d["token_bucket"]["max_tokens"] for d in rates["descriptors"]} == {
        "research": 60,
        "website": 6,
    }
    assert rates["token_bucket"]["max_tokens"] == Limits().requests_per_minute
    assert rates["always_consume_default_token_bucket"] is False


def test_an_open_gateway_counts_everybody_together() -> None:
    assert "descriptors" not in settings(Access(open_to_anyone=True), "envoy.filters.http.local_ratelimit")


def test_a_request_has_its_size_and_its_times() -> None:
    access = Access(limits=Limits(request_bytes=5000, header_seconds=3, request_seconds=7))
    assert settings(access, "envoy.filters.http.buffer")["max_request_bytes"] == 5000
    manager = settings(access, "envoy.filters.network.http_connection_manager")
    assert (manager["request_headers_timeout"], manager["request_timeout"]) == ("3s", "7s")


def test_an_answer_may_be_silent_for_as_long_as_the_slowest_model_takes() -> None:
    assert settings(KEYS, "envoy.filters.network.http_connection_manager")["stream_idle_timeout"] == "1260s"


def test_limits_come_after_who_is_asking_is_known_and_before_the_model() -> None:
    names = [p["patch"]["value"]["name"] for p in patches(KEYS) if p["applyTo"] == "HTTP_FILTER"]
    assert names[0] == "sealift.answers"
    order = ["envoy.filters.http.local_ratelimit", "sealift.credentials", "envoy.filters.http.buffer"]
    assert names[1:] == order


@pytest.mark.parametrize("error", [*gateway_errors.BY_STATUS, gateway_errors.NO_KEY, gateway_errors.REVOKED])
def test_an_error_is_one_of_the_openai_api(error: gateway_errors.ApiError) -> None:
    body = json.loads(error.body)["error"]
    assert set(body) == {"message", "type", "param", "code"}
    assert body["message"].endswith(".")
    assert "%" not in error.body.replace("%LOCAL_REPLY_BODY%", "")


def test_errors_of_401_403_404_408_413_429_503_and_504_have_messages_of_their_own() -> None:
    known = {e.status: e.message for e in gateway_errors.BY_STATUS}
    assert {403, 404, 408, 413, 429, 503, 504} <= set(known)
    assert len(set(known.values())) == len(known)


def test_where_no_key_is_asked_for_a_refusal_is_not_blamed_on_one() -> None:
    def first_for_403(keys: bool) -> int:
        mappers = gateway_errors.local_replies(keys=keys)["mappers"]
        return next(m["status_code"] for m in mappers if '"default_value": 403' in json.dumps(m["filter"]))

    assert (first_for_403(True), first_for_403(False)) == (401, 403)


def test_logs_name_tenant_and_key_id_and_hold_no_header_with_a_key_no_body_and_no_query() -> None:
    fields = json.loads(access_log.ACCESS_LOG["accessLogFormat"])
    assert fields["tenant"] == "%REQ(x-sealift-tenant)%"
    assert "NQ" in fields["path"]
    text = json.dumps(fields).lower()
    assert not [w for w in ("authorization", "cookie", "body", "x-envoy-original-path") if w in text]


def test_the_gateway_listens_after_its_rules_are_there(tmp_path: Path) -> None:
    site = make_site(tmp_path)
    models = [("chat", ModelArgs(site, "a.test", "tiny", "vllm-cpu"))]
    access = Access([OURS], [Tenant("research", ["models/chat"], 60)])
    outputs: dict[str, Any] = {}

    def program() -> object:
        platform = Platform("platform", PlatformArgs(site, "a.test", models, access=access))
        outputs.update(platform.outputs)
        return platform.urn

    noted = run(program)
    for early in ("envoyfilter/istio-system/front-door", "authorizationpolicy/istio-system/tenant-research"):
        for late in ("gateway/istio-system/kserve-ingress-gateway", "gateway/knative-serving/knative-ingress-gateway"):
            assert noted.comes_after(late, early)
    assert outputs["access"]["mode"] == "keys"
    assert outputs["access"]["tenants"] == [
        {"name": "research", "models": ["models/chat"], "requestsPerMinute": 60},
    ]
    assert "jwks" not in json.dumps(outputs["access"])


def test_no_listener_speaks_less_than_tls_1_3(tmp_path: Path) -> None:
    noted = run(lambda: Platform("platform", PlatformArgs(make_site(tmp_path), "a.test")).urn)
    (server,) = noted.documents["gateway/knative-serving/knative-ingress-gateway"]["spec"]["servers"]
    assert server["tls"]["minProtocolVersion"] == "TLSV1_3"
