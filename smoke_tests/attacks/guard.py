"""Who refused an attempt, told from the words or the silence that came back."""

from __future__ import annotations

import re
from enum import StrEnum

from smoke_tests.calls import Call


class Guard(StrEnum):
    """The protections of the platform, by the names that their documentation uses."""

    POD_SECURITY = "Pod Security admission"
    ADMISSION_POLICY = "ValidatingAdmissionPolicy"
    ADMISSION_WEBHOOK = "admission webhook"
    API_VALIDATION = "API validation"
    RBAC = "RBAC"
    AUTHENTICATION = "authentication"
    NETWORK_POLICY = "NetworkPolicy"
    MUTUAL_TLS = "mutual TLS"
    TLS = "TLS"
    AUTHORIZATION_POLICY = "AuthorizationPolicy"
    REGISTRY_ONLY = "REGISTRY_ONLY egress"
    ROUTING = "routing: no such place"
    LIMIT = "limit of the gateway"
    NO_LISTENER = "nothing listens"


_API_SAYINGS = (
    (re.compile(r"violates PodSecurity"), Guard.POD_SECURITY),
    (re.compile(r"ValidatingAdmissionPolicy '"), Guard.ADMISSION_POLICY),
    (re.compile(r"admission webhook \""), Guard.ADMISSION_WEBHOOK),
    (re.compile(r"cannot [\w-]+ resource|cannot impersonate|attempting to grant RBAC permissions"), Guard.RBAC),
    (re.compile(r"Unauthorized|must be logged in"), Guard.AUTHENTICATION),
    (re.compile(r"is invalid|unknown field|strict decoding error|BadRequest"), Guard.API_VALIDATION),
)
_LIMITS = (408, 413, 414, 429, 431)
_UNREACHED = re.compile(r"connection timeout|delayed connect error|connect error or disconnect|no healthy upstream")


def of_api(message: str) -> Guard | None:
    """Who of the API server's guards says ``message``; None for an error that is no refusal."""
    return next((guard for saying, guard in _API_SAYINGS if saying.search(message)), None)


def of_call(call: Call, *, through_sidecar: bool) -> Guard | None:
    """Who stopped ``call``; None when it was answered, or failed in a way that nobody claims.

    A sidecar takes every connection itself: what it was refused further on shows as its own 502 (no such place in the
    mesh) or 503 (the place could not be connected to).
    """
    if call.status == 0:
        return _silence(call, through_sidecar=through_sidecar)
    if call.status == 403 and "RBAC" in call.body:
        return Guard.AUTHORIZATION_POLICY
    if call.status == 403 and '"kind":"Status"' in "".join(call.body.split()):
        return Guard.RBAC
    if call.status == 401:
        return Guard.AUTHENTICATION
    if call.status == 403:
        return Guard.AUTHORIZATION_POLICY
    if call.status == 400 and "HTTPS server" in call.body:
        return Guard.TLS
    if call.status in _LIMITS:
        return Guard.LIMIT
    if call.status in (404, 421):
        return Guard.ROUTING
    if through_sidecar and call.server == "envoy" and call.status == 502:
        return Guard.REGISTRY_ONLY
    if through_sidecar and call.status == 503:
        return Guard.NETWORK_POLICY if _UNREACHED.search(call.body) else Guard.REGISTRY_ONLY
    return None


def _silence(call: Call, *, through_sidecar: bool) -> Guard | None:
    if call.dropped or (through_sidecar and call.timed_out):
        return Guard.NETWORK_POLICY
    if call.demands_certificate or call.reset:
        return Guard.REGISTRY_ONLY if through_sidecar and not call.handshake else Guard.MUTUAL_TLS
    if call.exit == _COULD_NOT_CONNECT:
        return Guard.NO_LISTENER
    if call.exit in _TLS_FAILED:
        return Guard.TLS
    return None


_COULD_NOT_CONNECT = 7
_TLS_FAILED = (35, 58, 60)
