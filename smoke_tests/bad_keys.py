"""Keys that the gateway must not take, each made from a good one."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from joserfc.jwk import ECKey

from access.issuer import IssuerKey


@dataclass(frozen=True)
class BadKey:
    """A way for a key to be bad."""

    name: str
    """As a sentence goes on after 'a key'."""
    make: Callable[[IssuerKey, str], str]
    """From the issuer's key and a tenant."""


def claims(key: IssuerKey, tenant: str, **changed: object) -> dict[str, Any]:
    """What a good token of five minutes says, with ``changed`` laid over it."""
    good = {"iss": key.issuer, "aud": key.audience, "sub": tenant, "tenant": tenant, "jti": "of-a-smoke-test"}
    return {**good, "exp": now() + 300, **changed}


def now() -> int:
    """Seconds since 1970, UTC."""
    return int(datetime.now(UTC).timestamp())


def _text(value: object) -> str:
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _unsigned(key: IssuerKey, tenant: str) -> str:
    return f"{_text({'alg': 'none', 'typ': 'JWT'})}.{_text(claims(key, tenant))}."


def _by_the_public_key(key: IssuerKey, tenant: str) -> str:
    """Who takes the algorithm from the token verifies this with what everybody knows (CVE-2015-9235).

    Put together by hand: a careful library refuses to make it.
    """
    signed = f"{_text({'alg': 'HS256', 'kid': key.kid})}.{_text(claims(key, tenant))}"
    public = ECKey.import_key(key.public).as_pem(private=False)
    return f"{signed}.{_text(hmac.digest(public, signed.encode(), 'sha256'))}"


def _by_a_stranger(key: IssuerKey, tenant: str) -> str:
    stranger = IssuerKey.new(key.issuer, key.audience)
    return stranger.sign(claims(key, tenant))


def _by_a_stranger_under_the_known_kid(key: IssuerKey, tenant: str) -> str:
    stranger = IssuerKey.new(key.issuer, key.audience)
    return stranger.model_copy(update={"key": {**stranger.key, "kid": key.kid}}).sign(claims(key, tenant))


def _altered(key: IssuerKey, tenant: str) -> str:
    header, _, signature = key.sign(claims(key, tenant)).split(".")
    return f"{header}.{_text(claims(key, tenant, exp=now() + 86400))}.{signature}"


BAD_KEYS = (
    BadKey("that is no token", lambda key, tenant: "sk-0123456789abcdef"),
    BadKey("that expired", lambda key, tenant: key.sign(claims(key, tenant, exp=now() - 120))),
    BadKey("that is not good yet", lambda key, tenant: key.sign(claims(key, tenant, nbf=now() + 3600))),
    BadKey("for another environment", lambda key, tenant: key.sign(claims(key, tenant, aud="another.example"))),
    BadKey("of another issuer", lambda key, tenant: key.sign(claims(key, tenant, iss="https://another.example"))),
    BadKey("that a stranger signed in the issuer's name", _by_a_stranger),
    BadKey("that a stranger signed under the issuer's key id", _by_a_stranger_under_the_known_kid),
    BadKey("that was altered after it was signed", _altered),
    BadKey("that nobody signed (alg: none)", _unsigned),
    BadKey("that is signed with the public key as a secret (HS256)", _by_the_public_key),
)
