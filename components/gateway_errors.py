"""Errors of the ingress gateway in the shape of the OpenAI API's, so that its clients raise the exceptions they have.

What Envoy answers itself goes through its ``local_reply_config``; what comes as plain text from behind the gateway (a
sidecar whose model is gone, Knative's activator) through a script. Nothing of a reason that names addresses inside is
passed on. https://platform.openai.com/docs/guides/error-codes
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

TENANT_HEADER = "x-sealift-tenant"
"""Who a request is from: set by the gateway from a verified token, taken from nobody."""
REVOKED_POLICY = "revoked-keys"
"""The AuthorizationPolicy that denies revoked tokens: its name is how its refusals are told from others."""

Filter = dict[str, Any]


@dataclass(frozen=True)
class ApiError:
    """The body of an error. ``kind`` and ``code`` are what the API calls ``type`` and ``code``."""

    status: int
    message: str
    kind: str
    code: str
    retry_after: int | None = None
    """Seconds after which a client may try again."""

    @property
    def body(self) -> str:
        """As the API sends it; ``%`` in it is for Envoy's formatter."""
        error = {"message": self.message, "type": self.kind, "param": None, "code": self.code}
        return json.dumps({"error": error})


_REQUEST, _SERVER = "invalid_request_error", "server_error"
NO_KEY = ApiError(401, "No API key was given. Send it as: Authorization: Bearer KEY.", _REQUEST, "invalid_api_key")
BAD_KEY = ApiError(401, "The API key is not valid: %LOCAL_REPLY_BODY%.", _REQUEST, "invalid_api_key")
REVOKED = ApiError(401, "The API key has been revoked.", _REQUEST, "invalid_api_key")
OVERLOADED = ApiError(
    503, "The model has as many requests in flight as it may have. Try again shortly.", _SERVER, "model_overloaded", 2
)
BY_STATUS = (
    ApiError(400, "The request is not well-formed HTTP.", _REQUEST, "bad_request"),
    ApiError(403, "This API key may not call this model or this path.", "permission_error", "model_not_allowed"),
    ApiError(404, "No model answers at this address.", _REQUEST, "model_not_found"),
    ApiError(408, "The request did not arrive whole in time.", _REQUEST, "request_timeout"),
    ApiError(413, "The request is larger than this gateway takes.", _REQUEST, "request_too_large"),
    ApiError(429, "Too many requests a minute for this API key's tenant.", "requests", "rate_limit_exceeded"),
    ApiError(431, "The request's headers are larger than this gateway takes.", _REQUEST, "headers_too_large"),
    ApiError(502, "The model's answer could not be read.", _SERVER, "bad_gateway"),
    ApiError(503, "The model cannot be reached now. Try again shortly.", _SERVER, "model_unavailable", 5),
    ApiError(504, "The model did not answer in time.", _SERVER, "model_timeout"),
)
OTHER = ApiError(0, "The gateway refused the request: HTTP %RESPONSE_CODE%.", "api_error", "gateway_error")


def local_replies(*, keys: bool) -> dict[str, Any]:
    """Envoy's ``local_reply_config``: the first mapper whose filter matches counts.

    ``keys`` says that the gateway asks for them: then a refusal of a request that bears no verified identity is one for
    want of a key, which HTTP calls 401.
    """
    mappers = [_mapper(_flag("UO"), OVERLOADED), _mapper(_status(401), BAD_KEY)]
    if keys:
        refused = _status(403)
        mappers += [
            _mapper(_both(refused, _without(TENANT_HEADER)), NO_KEY, {"www-authenticate": "Bearer"}),
            _mapper(_both(refused, _by_policy(REVOKED_POLICY)), REVOKED, {"www-authenticate": "Bearer"}),
        ]
    mappers += [_mapper(_status(e.status), e) for e in BY_STATUS]
    return {"mappers": mappers, "body_format": _format(OTHER)}


def answers() -> str:
    """A Lua script over what goes out, and the first to see what comes in.

    Nobody says for himself which tenant he is. Errors in plain text from behind the gateway get the API's shape, others
    stay as they are; who asks too often is told when to come back.
    """
    known = "\n".join(f"  [{e.status}] = {_lua(e.body)}," for e in BY_STATUS)
    other = ApiError(500, "The model failed to answer.", _SERVER, "model_failed")
    return f"""\
local bodies = {{
{known}
}}
function envoy_on_request(handle)
  handle:headers():remove("{TENANT_HEADER}")
end
function envoy_on_response(handle)
  local headers = handle:headers()
  local status = tonumber(headers:get(":status"))
  if status == 429 and headers:get("x-ratelimit-reset") and not headers:get("retry-after") then
    headers:add("retry-after", headers:get("x-ratelimit-reset"))
  end
  local kind = headers:get("content-type") or "text/plain"
  if status == nil or status < 400 or kind:find("text/plain", 1, true) ~= 1 then
    return
  end
  local size = handle:body(true):setBytes(bodies[status] or {_lua(other.body)})
  headers = handle:headers()  -- the former ones ended while the body was waited for
  headers:replace("content-type", "application/json")
  headers:replace("content-length", tostring(size))
end
"""


def _mapper(when: Filter, error: ApiError, headers: dict[str, str] | None = None) -> dict[str, Any]:
    added = dict(headers or {})
    if error.retry_after is not None:
        added["retry-after"] = str(error.retry_after)
    mapper: dict[str, Any] = {"filter": when, "status_code": error.status, "body_format_override": _format(error)}
    if added:
        mapper["headers_to_add"] = [
            {"header": {"key": k, "value": v}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"} for k, v in added.items()
        ]
    return mapper


def _format(error: ApiError) -> dict[str, Any]:
    # As text and not as json_format: that one cannot say null everywhere, and the API's errors have a null in them.
    return {"text_format_source": {"inline_string": error.body}, "content_type": "application/json"}


def _status(status: int) -> Filter:
    return {
        "status_code_filter": {
            "comparison": {"op": "EQ", "value": {"default_value": status, "runtime_key": f"sealift.status.{status}"}}
        }
    }


def _flag(flag: str) -> Filter:
    return {"response_flag_filter": {"flags": [flag]}}


def _without(header: str) -> Filter:
    return {"header_filter": {"header": {"name": header, "present_match": True, "invert_match": True}}}


def _by_policy(name: str) -> Filter:
    cel = "type.googleapis.com/envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter"
    expression = f"response.code_details.contains('policy[{name}]')"
    return {"extension_filter": {"name": "cel", "typed_config": {"@type": cel, "expression": expression}}}


def _both(one: Filter, other: Filter) -> Filter:
    return {"and_filter": {"filters": [one, other]}}


def _lua(text: str) -> str:
    assert "]==]" not in text
    return f"[==[{text}]==]"
