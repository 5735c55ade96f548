"""Who may call what in the mesh: the AuthorizationPolicies of models, activator and autoscaler."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

import pytest

from components.authorization import deny_by_default
from components.callers import OPENAI_PATHS, Called, authorization
from components.documents import Document
from components.identities import ACTIVATOR, AUTOSCALER, GATEWAY, principal
from components.knative import authorization as knative

CHAT = Called("chat", "models", "Standard", "generate", ("apps/web",))
BATCH = Called("batch", "models", "Knative", "generate", ("apps/web",))
OTHER = Called("other", "models", "Knative", "embed")
WEB, STRANGER = principal("apps/web"), principal("apps/stranger")


def allows(policy: Document, who: str, port: int, method: str, path: str, **headers: str) -> bool:
    return any(_matches(rule, who, port, method, path, headers) for rule in policy["spec"]["rules"])


def _matches(rule: dict[str, Any], who: str, port: int, method: str, path: str, headers: dict[str, str]) -> bool:
    [operation] = [t["operation"] for t in rule["to"]]
    conditions = {
        w["key"].removeprefix("request.headers[").removesuffix("]"): w["values"] for w in rule.get("when", [])
    }
    return (
        who in rule["from"][0]["source"]["principals"]
        and str(port) in operation["ports"]
        and method in operation.get("methods", [method])
        and any(fnmatchcase(path, p) for p in operation.get("paths", ["*"]))
        and all(any(fnmatchcase(headers.get(_plain(h), ""), v) for v in vs) for h, vs in conditions.items())
    )


def _plain(header: str) -> str:
    return header.rpartition("-")[2].lower()


def activator(*models: Called) -> Document:
    return knative(models)[1]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/models", "/v1/models/chat"])
def test_the_gateway_and_named_callers_reach_a_models_api(path: str) -> None:
    assert allows(authorization(CHAT), GATEWAY, 8080, "GET", path)
    assert allows(authorization(CHAT), WEB, 8080, "POST", path)


@pytest.mark.parametrize(
    "path",
    ["/pause", "/update_weights", "/invocations", "/pooling", "/score", "/metrics", "/docs", "/healthz", "/v1", "/",
     "/v1/embeddings", "/v1/chat/completions/render", "/version", "/tokenize", "/v1/load_lora_adapter"],
)  # fmt: skip
def test_nobody_reaches_what_else_the_server_opens(path: str) -> None:
    assert not any(allows(authorization(CHAT), who, 8080, "POST", path) for who in (GATEWAY, WEB))


def test_an_identity_that_nobody_named_reaches_nothing() -> None:
    for policy in (authorization(CHAT), authorization(BATCH), *knative([CHAT, BATCH])):
        assert STRANGER not in str(policy)


def test_what_a_model_is_for_decides_what_is_open() -> None:
    embed = Called("e", "models", "Standard", "embed")
    assert allows(authorization(embed), GATEWAY, 8080, "POST", "/v1/embeddings")
    assert not allows(authorization(embed), GATEWAY, 8080, "POST", "/v1/chat/completions")


def test_knatives_activator_and_autoscaler_reach_only_what_they_need() -> None:
    policy = authorization(BATCH)
    assert allows(policy, ACTIVATOR, 8012, "POST", "/v1/chat/completions")
    assert allows(policy, ACTIVATOR, 8012, "GET", "/healthz")
    assert allows(policy, AUTOSCALER, 9090, "GET", "/metrics")
    assert not allows(policy, AUTOSCALER, 8012, "POST", "/v1/chat/completions")
    assert not allows(policy, ACTIVATOR, 9090, "GET", "/metrics")
    assert not allows(policy, WEB, 9090, "GET", "/metrics")
    assert not allows(authorization(CHAT), ACTIVATOR, 8080, "GET", "/v1/models")


def test_nobody_calls_past_queue_proxy() -> None:
    assert not any(allows(authorization(BATCH), who, 8080, "GET", "/v1/models") for who in (GATEWAY, WEB, ACTIVATOR))


def test_the_gateway_calls_any_model_through_the_activator() -> None:
    assert allows(
        activator(BATCH, OTHER), GATEWAY, 8012, "POST", "/v1/chat/completions", revision="other-predictor-00001"
    )
    assert not allows(activator(BATCH, OTHER), GATEWAY, 8012, "POST", "/metrics")


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({"namespace": "models", "revision": "batch-predictor-00001"}, True),
        ({"namespace": "models", "revision": "other-predictor-00001"}, False),
        ({"namespace": "models", "revision": "batch-predictor"}, False),
        ({"namespace": "elsewhere", "revision": "batch-predictor-00001"}, False),
        ({"revision": "batch-predictor-00001"}, False),
        ({}, False),
    ],
    ids=["its model", "another model", "no revision", "another namespace", "no namespace", "forged host alone"],
)
def test_a_caller_goes_through_the_activator_to_its_own_models_only(headers: dict[str, str], allowed: bool) -> None:
    assert allows(activator(BATCH, OTHER), WEB, 8012, "POST", "/v1/chat/completions", **headers) is allowed


def test_a_caller_of_a_standard_model_has_no_business_with_the_activator() -> None:
    assert WEB not in str(activator(CHAT))


def test_the_autoscaler_probes_the_activator_and_calls_no_model_through_it() -> None:
    assert allows(activator(BATCH), AUTOSCALER, 8012, "GET", "//healthz")
    assert not allows(activator(BATCH), AUTOSCALER, 8012, "GET", "/v1/models")


def test_knative_probes_the_gateway_without_a_key_and_reaches_no_model_by_it() -> None:
    [probe] = knative([BATCH])[0]["spec"]["rules"]
    assert "from" not in probe
    assert probe["to"] == [{"operation": {"ports": ["443"], "methods": ["GET"], "paths": ["/healthz", "//healthz"]}}]
    assert {w["key"] for w in probe["when"]} == {"request.headers[K-Network-Probe]", "request.headers[K-Network-Hash]"}


def test_only_knative_reports_to_the_autoscaler() -> None:
    reports = knative([BATCH])[2]
    assert allows(reports, ACTIVATOR, 8080, "GET", "/")
    assert not any(allows(reports, who, 8080, "GET", "/") for who in (GATEWAY, WEB))


def test_the_mesh_wide_default_has_no_rule_and_therefore_lets_nothing_through() -> None:
    policy = deny_by_default("istio-system")
    assert (policy["metadata"]["namespace"], policy["spec"]) == ("istio-system", {})


def test_no_path_is_open_that_ends_in_a_bare_wildcard() -> None:
    assert all(path.startswith("/v1/") for paths in OPENAI_PATHS.values() for path in paths)
