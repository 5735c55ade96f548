"""API keys of the checks' own: short-lived, one for each call, by the issuer's key that the operator lends."""

from __future__ import annotations

from datetime import timedelta

from access.issuer import IssuerKey
from mirror.errors import BadInput

from .environment import Environment, ServedModel, TenantAccess

LIFETIME = timedelta(hours=2)
"""Longer than any run of the checks."""


def for_model(environment: Environment, model: ServedModel, tenant: str | None = None) -> str | None:
    """A key for ``model``, of ``tenant`` or else of one that may call it; None where the gateway asks for none."""
    if environment.outputs.access.mode == "open":
        return None
    return of_tenant(environment, tenant or caller(environment, model).name)


def of_tenant(environment: Environment, tenant: str) -> str:
    """A key of ``tenant``, whether the stack knows it or not; raises BadInput without an issuer's key."""
    return issuer(environment).token(tenant, LIFETIME)[0]


def issuer(environment: Environment) -> IssuerKey:
    """What signs; raises BadInput where there is nothing to sign with, or nobody who would believe it."""
    access, key = environment.outputs.access, environment.issuer_key
    if access.mode == "closed":
        instead = "Give it access.issuers and tenants, apply it, and run the checks again."
        raise BadInput("the stack's gateway", "it is closed: the stack names nobody whose keys it believes", instead)
    if key is None:
        instead = "Give --issuer-key DIRECTORY/issuer-key.json of sealift access issuer create."
        raise BadInput("the stack's gateway", "it asks for API keys, and there is nothing to make one with", instead)
    if not any(key.issuer == i.issuer and key.audience in i.audiences for i in access.issuers):
        known = ", ".join(f"{i.issuer} for {' or '.join(i.audiences)}" for i in access.issuers)
        why = f"it is of issuer {key.issuer} for {key.audience}, whom the stack does not believe"
        raise BadInput("--issuer-key", why, f"Give the key of {known}.")
    return key


def caller(environment: Environment, model: ServedModel) -> TenantAccess:
    """The tenant that may call ``model`` most often; for a model that is not the stack's, the one with most models."""
    tenants = environment.outputs.access.tenants
    may = [t for t in tenants if model.key in t.models]
    ranked = sorted(may or tenants, key=lambda t: (t.requests_per_minute, len(t.models), t.name), reverse=True)
    if not ranked:
        raise BadInput(f"model {model.key}", "no tenant of the stack may call it", "Name it in a tenant's models.")
    return ranked[0]
