"""What the ingress gateway takes: sizes, rates and times, as patches of its Envoy configuration.

Istio has no API for these; each patch is a documented field of Envoy's own API, in Istio's proxy and in Envoy alike.
https://www.envoyproxy.io/docs/envoy/latest/configuration/best_practices/edge
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .documents import Document
from .gateway_errors import TENANT_HEADER, answers, local_replies
from .places import ISTIO as NAMESPACE

SELECTOR = {"istio": "ingressgateway"}
_HCM = "envoy.filters.network.http_connection_manager"
_ROUTER = "envoy.filters.http.router"
_API = "type.googleapis.com/envoy.extensions.filters"
_IDLE_SECONDS = 300
_LATE_SECONDS = 60
"""A route's own timeout answers first, with the better error; this much later an answer that stands still ends."""

# What a client may have put a key into: none of it is the model server's to see, or its log's.
_CREDENTIALS = ("authorization", "proxy-authorization", "cookie", "api-key", "x-api-key")


@dataclass(frozen=True)
class Limits:
    """Each is counted by each replica of the gateway."""

    request_bytes: int = 4 * 2**20
    """Of one request's body. It is kept in memory until it is whole, so that a slow one holds up no model."""
    header_seconds: int = 10
    """In which a request's headers must have arrived."""
    request_seconds: int = 60
    """In which the whole request must have arrived; its answer may take as long as the model's timeout says."""
    concurrent_requests: int = 128
    """In flight to one model."""
    requests_per_minute: int = 600
    """Of a tenant that does not say its own; of everybody together where the gateway is open."""
    connections: int = 4096
    """Open at a time, for each of the two domains."""


def envoy_filter(limits: Limits, tenants: Mapping[str, int], answer_seconds: int, *, keys: bool) -> Document:
    """The gateway's EnvoyFilter.

    ``tenants`` is requests a minute by name; ``answer_seconds`` is the longest that any model may take. ``keys`` says
    that the gateway asks for API keys.
    """
    patches = [
        _connections(limits),
        _connection_manager(limits, answer_seconds, keys=keys),
        _http_filter("INSERT_FIRST", _script("sealift.answers", answers())),
        _http_filter("INSERT_BEFORE", _rates(limits, tenants), before=_ROUTER),
        _http_filter("INSERT_BEFORE", _script("sealift.credentials", _without_credentials()), before=_ROUTER),
        _http_filter("INSERT_BEFORE", _buffer(limits), before=_ROUTER),
    ]
    return {
        "apiVersion": "networking.istio.io/v1alpha3",
        "kind": "EnvoyFilter",
        "metadata": {"name": "front-door", "namespace": NAMESPACE},
        "spec": {"workloadSelector": {"labels": SELECTOR}, "configPatches": patches},
    }


def _connection_manager(limits: Limits, answer_seconds: int, *, keys: bool) -> dict[str, Any]:
    settings = {
        "@type": f"{_API}.network.http_connection_manager.v3.HttpConnectionManager",
        "request_headers_timeout": f"{limits.header_seconds}s",
        "request_timeout": f"{limits.request_seconds}s",
        "stream_idle_timeout": f"{max(answer_seconds, limits.request_seconds) + _LATE_SECONDS}s",
        # Some servers read x_sealift_tenant as x-sealift-tenant.
        "common_http_protocol_options": {
            "idle_timeout": f"{_IDLE_SECONDS}s",
            "headers_with_underscores_action": "DROP_HEADER",
        },
        "http2_protocol_options": {
            "max_concurrent_streams": 100,
            "initial_stream_window_size": 2**16,
            "initial_connection_window_size": 2**20,
        },
        "local_reply_config": local_replies(keys=keys),
    }
    return _network_filter("MERGE", {"name": _HCM, "typed_config": settings}, {"filter": {"name": _HCM}})


def _connections(limits: Limits) -> dict[str, Any]:
    kind = f"{_API}.network.connection_limit.v3.ConnectionLimit"
    settings = {"@type": kind, "stat_prefix": "front_door", "max_connections": limits.connections}
    return _network_filter("INSERT_FIRST", {"name": "envoy.filters.network.connection_limit", "typed_config": settings})


def _rates(limits: Limits, tenants: Mapping[str, int]) -> dict[str, Any]:
    """A token bucket for each tenant, filled evenly; the default one is for requests of nobody that is listed."""
    always = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
    descriptors = [
        {"entries": [{"key": "tenant", "value": name}], "token_bucket": _bucket(rate)}
        for name, rate in sorted(tenants.items())
    ]
    action = {"request_headers": {"header_name": TENANT_HEADER, "descriptor_key": "tenant"}}
    settings = {
        "@type": f"{_API}.http.local_ratelimit.v3.LocalRateLimit",
        "stat_prefix": "front_door",
        "token_bucket": _bucket(limits.requests_per_minute),
        "always_consume_default_token_bucket": False,
        "filter_enabled": {**always, "runtime_key": "sealift.rates.enabled"},
        "filter_enforced": {**always, "runtime_key": "sealift.rates.enforced"},
        "enable_x_ratelimit_headers": "DRAFT_VERSION_03",
    }
    if descriptors:
        settings |= {"rate_limits": [{"actions": [action]}], "descriptors": descriptors}
    return {"name": "envoy.filters.http.local_ratelimit", "typed_config": settings}


def _bucket(per_minute: int) -> dict[str, Any]:
    return {"max_tokens": per_minute, "tokens_per_fill": per_minute, "fill_interval": "60s"}


def _buffer(limits: Limits) -> dict[str, Any]:
    settings = {"@type": f"{_API}.http.buffer.v3.Buffer", "max_request_bytes": limits.request_bytes}
    return {"name": "envoy.filters.http.buffer", "typed_config": settings}


def _script(name: str, code: str) -> dict[str, Any]:
    settings = {"@type": f"{_API}.http.lua.v3.Lua", "default_source_code": {"inline_string": code}}
    return {"name": name, "typed_config": settings}


def _without_credentials() -> str:
    removed = "\n".join(f'  handle:headers():remove("{name}")' for name in _CREDENTIALS)
    return f"function envoy_on_request(handle)\n{removed}\nend\n"


def _network_filter(operation: str, value: dict[str, Any], chain: Mapping[str, Any] | None = None) -> dict[str, Any]:
    match: dict[str, Any] = {"context": "GATEWAY"}
    if chain:
        match["listener"] = {"filterChain": dict(chain)}
    return {"applyTo": "NETWORK_FILTER", "match": match, "patch": {"operation": operation, "value": value}}


def _http_filter(operation: str, value: dict[str, Any], *, before: str | None = None) -> dict[str, Any]:
    manager: dict[str, Any] = {"name": _HCM}
    if before:
        manager["subFilter"] = {"name": before}
    match = {"context": "GATEWAY", "listener": {"filterChain": {"filter": manager}}}
    return {"applyTo": "HTTP_FILTER", "match": match, "patch": {"operation": operation, "value": value}}
