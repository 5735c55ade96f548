"""Reading an API key: what it says, and whether a set of public keys verifies it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jws import extract_compact

from mirror.errors import BadInput

from .issuer import ALGORITHM
from .jwks import Jwks


@dataclass(frozen=True)
class Shown:
    """What a key says about itself. Nothing here is secret: the signature, which makes it a key, is left out."""

    claims: dict[str, Any]
    kid: str
    """The id of the issuer's key that signed it, or says so."""
    verified: bool
    """One of the given public keys signed it."""

    @property
    def expires(self) -> datetime | None:
        """When it ends (UTC); None: never."""
        return datetime.fromtimestamp(self.claims["exp"], UTC) if "exp" in self.claims else None

    def expired(self, now: datetime | None = None) -> bool:
        """Whether it has ended at ``now`` (default: this moment)."""
        return self.expires is not None and self.expires <= (now or datetime.now(UTC))


def show(token: str, public: Jwks) -> Shown:
    """What ``token`` says, and whether ``public`` verifies it; raises BadInput, which never repeats the token."""
    try:
        opened = extract_compact(token.strip().encode())
        claims = json.loads(opened.payload)
    except (JoseError, ValueError) as e:
        instead = "Give the key as it was issued: three parts with dots between them."
        raise BadInput("the key", "it is not a signed token", instead) from e
    return Shown(claims, str(opened.headers().get("kid", "")), _verified(token.strip(), public))


def _verified(token: str, public: Jwks) -> bool:
    try:
        jwt.decode(token, KeySet.import_key_set({"keys": public["keys"]}), [ALGORITHM])
    except JoseError:
        return False
    return True
