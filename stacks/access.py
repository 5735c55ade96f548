"""Who a stack lets through its gateway: issuers of keys, tenants and their models, and how much is taken."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from access import jwks
from components.front_door import Access, Issuer, Tenant
from components.gateway_limits import Limits
from mirror.document import Strict

from .surroundings import Label

_DEFAULT = Limits()
# What may stand in an AuthorizationPolicy as it is: a * there would be a wildcard.
Text = Annotated[str, StringConstraints(pattern=r"^[^*\s]+$", max_length=253)]
Claim = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_-]*$")]
"""Of the top level of a token: Istio takes a dot for the way into a nested one."""
ModelName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+(/[a-z0-9-]+)?$")]


class IssuerConfig(Strict):
    """Whose signatures on keys are believed: the site's own issuer, or an OIDC provider."""

    issuer: Text
    """The ``iss`` claim of its tokens, to the letter."""
    jwks: dict[str, Any] | Path
    """Its public keys (a JSON Web Key Set), or the file that holds them; relative to stacks/."""
    audiences: list[Text] = []
    """One of these must be the ``aud`` claim; empty: the stack's domain."""
    tenantClaim: Claim = "tenant"
    """The claim that says whose a token is."""
    revoked: list[Text] = []
    """Ids (``jti``) of tokens that are no longer good."""


class AccessConfig(Strict):
    """Who issues keys."""

    issuers: list[IssuerConfig] = Field(min_length=1)


class TenantConfig(Strict):
    """Who calls, and which models."""

    name: Label
    """The tenant claim of its keys."""
    models: list[ModelName] = []
    """By name, or namespace/name where a name is in several; empty: it may call none."""
    requestsPerMinute: int | None = Field(default=None, ge=1)
    """None: the limits' own."""


class LimitsConfig(Strict):
    """What the gateway takes. Each is counted by each replica of the gateway."""

    requestBytes: int = Field(default=_DEFAULT.request_bytes, ge=1024, le=2**30)
    headerSeconds: int = Field(default=_DEFAULT.header_seconds, ge=1, le=300)
    requestSeconds: int = Field(default=_DEFAULT.request_seconds, ge=1, le=3600)
    concurrentRequests: int = Field(default=_DEFAULT.concurrent_requests, ge=1)
    requestsPerMinute: int = Field(default=_DEFAULT.requests_per_minute, ge=1)
    connections: int = Field(default=_DEFAULT.connections, ge=1)

    def limits(self) -> Limits:
        """As components take them."""
        return Limits(
            request_bytes=self.requestBytes,
            header_seconds=self.headerSeconds,
            request_seconds=self.requestSeconds,
            concurrent_requests=self.concurrentRequests,
            requests_per_minute=self.requestsPerMinute,
            connections=self.connections,
        )


def fits(access: AccessConfig | None, tenants: Sequence[TenantConfig], models: Sequence[str], *, is_open: bool) -> None:
    """Raise ValueError for what cannot be meant. ``models`` are ``namespace/name``."""
    if is_open and (access or tenants):
        raise ValueError("gatewayOpenToAnyoneWhoReachesIt asks nobody for a key, so access and tenants mean nothing")
    if tenants and not access:
        raise ValueError(
            "tenants need access: say whose keys are believed (sealift access issuer create makes an issuer)"
        )
    if access and not tenants:
        raise ValueError("access needs tenants: say which models each may call, or nobody may call any")
    if doubled := _doubled([t.name for t in tenants]):
        raise ValueError(f"tenant {doubled} is listed more than once")
    if doubled := _doubled([i.issuer for i in access.issuers] if access else []):
        raise ValueError(f"issuer {doubled} is listed more than once: put all its keys into one jwks")
    for tenant in tenants:
        opened(tenant, models)


def opened(tenant: TenantConfig, models: Sequence[str]) -> list[str]:
    """The models of ``tenant`` as ``namespace/name``; raises ValueError for a name that means none or several."""
    found = []
    for name in tenant.models:
        meant = [m for m in models if m == name or m.partition("/")[2] == name]
        if len(meant) > 1:
            raise ValueError(f"tenant {tenant.name}: {name} is in several namespaces; say one of {', '.join(meant)}")
        if not meant:
            known = ", ".join(models) or "none"
            raise ValueError(f"tenant {tenant.name}: the stack has no model {name}; it has: {known}")
        found += meant
    return list(dict.fromkeys(found))


def parsed(
    access: AccessConfig | None,
    tenants: Sequence[TenantConfig],
    limits: LimitsConfig,
    *,
    is_open: bool,
    models: Sequence[str],
    domain: str,
    directory: Path,
) -> Access:
    """As components take it, with the issuers' keys read. ``directory`` is what paths are relative to.

    Raises BadInput for keys that cannot be used, or that are private.
    """
    return Access(
        issuers=[_issuer(i, domain, directory) for i in (access.issuers if access else [])],
        tenants=[Tenant(t.name, opened(t, models), t.requestsPerMinute or limits.requestsPerMinute) for t in tenants],
        limits=limits.limits(),
        open_to_anyone=is_open,
    )


def _issuer(config: IssuerConfig, domain: str, directory: Path) -> Issuer:
    if isinstance(config.jwks, Path):
        keys = jwks.read((directory / config.jwks).resolve())
    else:
        keys = jwks.checked(config.jwks, f"jwks of issuer {config.issuer}")
    audiences = config.audiences or [domain]
    return Issuer(config.issuer, keys, audiences, config.tenantClaim, config.revoked)


def _doubled(names: Sequence[str]) -> str:
    return next((n for n in names if list(names).count(n) > 1), "")
