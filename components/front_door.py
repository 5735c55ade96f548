"""Who may call which model from outside: tokens that the gateway verifies by itself, and each tenant's own models.

Without issuers the gateway is closed. Everything here is in force before the gateway listens.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import pulumi

from .documents import Document
from .gateway_errors import REVOKED_POLICY, TENANT_HEADER
from .gateway_limits import SELECTOR, Limits, envoy_filter
from .manifests import Registered, register
from .network import REASON
from .places import ISTIO as NAMESPACE
from .site import Site

METHODS = ("GET", "POST")


@dataclass(frozen=True)
class Issuer:
    """Whose signatures are believed."""

    issuer: str
    """The ``iss`` claim of its tokens."""
    jwks: Mapping[str, Any]
    """Its public keys. They are part of the configuration: nobody is asked for them while the platform runs."""
    audiences: Sequence[str]
    """One of these must be the ``aud`` claim."""
    tenant_claim: str = "tenant"
    """The claim, a text, that says which tenant a token is for."""
    revoked: Sequence[str] = ()
    """``jti`` claims of tokens that are no longer good."""


@dataclass(frozen=True)
class Door:
    """One model as the gateway shows it."""

    host: str
    paths: Sequence[str]
    """Exact, or a prefix that ends in ``*``."""
    namespace: str
    """Where its Services are."""
    answer_seconds: int
    """The longest that one answer may take."""


@dataclass(frozen=True)
class Tenant:
    """Who calls."""

    name: str
    models: Sequence[str]
    """Keys of the doors that are open to it; none: it is shut out, and its keys stay good for later."""
    requests_per_minute: int


@dataclass(frozen=True)
class Access:
    """Who may go through the gateway, and how much it takes."""

    issuers: Sequence[Issuer] = ()
    tenants: Sequence[Tenant] = ()
    limits: Limits = field(default_factory=Limits)
    open_to_anyone: bool = False
    """Nobody is asked for a key."""

    @property
    def mode(self) -> Literal["open", "keys", "closed"]:
        """How the gateway meets callers."""
        return "open" if self.open_to_anyone else "keys" if self.issuers else "closed"


@dataclass(frozen=True)
class FrontDoorArgs:
    """What is behind the gateway, and who may go through."""

    site: Site
    doors: Mapping[str, Door] = field(default_factory=dict)
    """By ``namespace/name`` of the model."""
    access: Access = field(default_factory=Access)
    after: Sequence[pulumi.Resource] = ()


class FrontDoor(pulumi.ComponentResource):
    """Authentication, authorization and limits at the ingress gateway."""

    registered: Registered

    def __init__(self, name: str, args: FrontDoorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sealift:index:FrontDoor", name, None, opts)
        self.registered = register(args.site, documents(args.access, args.doors), self, args.after, guarded=True)
        self.register_outputs({"mode": args.access.mode})


def outputs(access: Access) -> dict[str, Any]:
    """What the stack exports of it: how callers prove who they are, whose models are whose, what is taken."""
    issuers = [
        {"issuer": i.issuer, "audiences": [*i.audiences], "tenantClaim": i.tenant_claim, "revoked": [*i.revoked]}
        for i in access.issuers
    ]
    tenants = [
        {"name": t.name, "models": [*t.models], "requestsPerMinute": t.requests_per_minute} for t in access.tenants
    ]
    limits = {
        "requestBytes": access.limits.request_bytes,
        "headerSeconds": access.limits.header_seconds,
        "requestSeconds": access.limits.request_seconds,
        "concurrentRequests": access.limits.concurrent_requests,
    }
    return {"mode": access.mode, "issuers": issuers, "tenants": tenants, "limits": limits}


def documents(access: Access, doors: Mapping[str, Door]) -> list[Document]:
    """Every object of the front door."""
    rates = {t.name: t.requests_per_minute for t in access.tenants}
    longest = max((d.answer_seconds for d in doors.values()), default=0)
    keys = access.mode == "keys"
    made = [envoy_filter(access.limits, rates, longest, keys=keys), *concurrency(access.limits, doors)]
    # What nothing here allows is denied: deny-by-default of the mesh holds for the gateway too.
    if access.mode == "open" and doors:
        reason = "The stack opens the gateway to anyone who reaches it; only models, and only their API."
        made.append(_policy("anybody", reason, "ALLOW", [_rule(d, []) for d in doors.values()]))
    if keys:
        revoked = [_revoked(i) for i in access.issuers if i.revoked]
        reason = "Keys that the stack revokes, whoever holds them."
        made += [_policy(REVOKED_POLICY, reason, "DENY", revoked)] if revoked else []
        made += [request_authentication(access.issuers)]
        made += [_tenant(t, access, doors) for t in access.tenants if t.models]
    return made


def request_authentication(issuers: Sequence[Issuer]) -> Document:
    """A token that is there must be good. Only the Authorization header is looked at: addresses end up in logs."""
    rules = [
        {
            "issuer": i.issuer,
            "jwks": json.dumps(i.jwks, separators=(",", ":"), sort_keys=True),
            "audiences": list(i.audiences),
            "fromHeaders": [{"name": "Authorization", "prefix": "Bearer "}],
            "forwardOriginalToken": False,
            "outputClaimToHeaders": [{"header": TENANT_HEADER, "claim": i.tenant_claim}],
        }
        for i in issuers
    ]
    reason = "Tokens are verified by their issuers' public keys, which are written here: nobody is asked for them."
    return _security("RequestAuthentication", "front-door", reason, {"jwtRules": rules})


def concurrency(limits: Limits, doors: Mapping[str, Door]) -> list[Document]:
    """How many requests may be in flight from the gateway to a model; more are refused at once, not queued."""
    most = limits.concurrent_requests
    pool = {"http": {"http2MaxRequests": most, "http1MaxPendingRequests": most}}
    return [
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "DestinationRule",
            "metadata": {"name": f"front-door-{namespace}", "namespace": NAMESPACE},
            "spec": {
                # Each Service below counts for itself: a model's predictor, and each revision of it in Knative mode.
                "host": f"*.{namespace}.svc.cluster.local",
                "workloadSelector": {"matchLabels": SELECTOR},
                "exportTo": ["."],
                "trafficPolicy": {"connectionPool": pool},
            },
        }
        for namespace in sorted({d.namespace for d in doors.values()})
    ]


def _tenant(tenant: Tenant, access: Access, doors: Mapping[str, Door]) -> Document:
    rules = [_rule(doors[m], _proof(i, tenant.name)) for i in access.issuers for m in tenant.models]
    reason = f"Tenant {tenant.name} proves who it is by its key, and may call these models."
    return _policy(f"tenant-{tenant.name}", reason, "ALLOW", rules)


def _proof(issuer: Issuer, tenant: str) -> list[dict[str, Any]]:
    return [
        {"key": "request.auth.claims[iss]", "values": [issuer.issuer]},
        {"key": f"request.auth.claims[{issuer.tenant_claim}]", "values": [tenant]},
        # A claim that lists several tenants would match the former: a request is of one.
        {"key": f"request.headers[{TENANT_HEADER}]", "values": [tenant]},
    ]


def _rule(door: Door, when: Sequence[dict[str, Any]]) -> dict[str, Any]:
    # A client names the port when it is not 443, as behind a node port.
    hosts = [door.host, f"{door.host}:*"]
    operation = {"hosts": hosts, "methods": list(METHODS), "paths": list(door.paths)}
    return {"to": [{"operation": operation}]} | ({"when": list(when)} if when else {})


def _revoked(issuer: Issuer) -> dict[str, Any]:
    ids = {"key": "request.auth.claims[jti]", "values": sorted(issuer.revoked)}
    return {"when": [{"key": "request.auth.claims[iss]", "values": [issuer.issuer]}, ids]}


def _policy(name: str, reason: str, action: str, rules: list[dict[str, Any]]) -> Document:
    return _security("AuthorizationPolicy", name, reason, {"action": action, "rules": rules})


def _security(kind: str, name: str, reason: str, spec: dict[str, Any]) -> Document:
    return {
        "apiVersion": "security.istio.io/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": NAMESPACE, "annotations": {REASON: reason}},
        "spec": {"selector": {"matchLabels": SELECTOR}, **spec},
    }
