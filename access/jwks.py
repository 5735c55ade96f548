"""Public keys of an issuer as a JSON Web Key Set (RFC 7517): read strictly, because it goes into a cluster."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

from mirror.errors import BadInput

Jwks = dict[str, Any]
"""``{"keys": [...]}``, public members only."""

_INSTEAD = "Give the issuer's public keys: what it serves at its jwks_uri, or jwks.json of sealift access issuer."


def read(path: Path) -> Jwks:
    """The key set in ``path``; raises BadInput."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as e:
        raise BadInput(str(path), e.strerror or str(e), _INSTEAD) from e
    return parse(text, str(path))


def parse(text: str, origin: str) -> Jwks:
    """The key set in ``text`` (JSON); ``origin`` names it in errors. Raises BadInput."""
    try:
        data = json.loads(text)
    except ValueError as e:
        raise BadInput(origin, f"it is not JSON: {e}", _INSTEAD) from e
    return checked(data, origin)


def checked(data: object, origin: str) -> Jwks:
    """``data`` as a set of public signature keys.

    Raises BadInput for a private or symmetric key (whoever reads the cluster could make tokens with it), for one too
    short, for what is no key, for two of one ``kid``, and for a set without keys.
    """
    keys = data.get("keys") if isinstance(data, Mapping) else None
    if not isinstance(keys, list) or not keys:
        raise BadInput(origin, "it is not a JSON Web Key Set with at least one key", _INSTEAD)
    for key in keys:
        _public(key, origin)
    kids = [k["kid"] for k in keys if "kid" in k]
    if doubled := {k for k in kids if kids.count(k) > 1}:
        raise BadInput(origin, f"two keys have the kid {doubled.pop()!r}", "Give each key an id of its own.")
    if len(keys) > 1 and len(kids) < len(keys):
        raise BadInput(origin, "there are several keys, and not each has a kid", "Give each key an id of its own.")
    return {"keys": [dict(k) for k in keys]}


def kids(jwks: Jwks) -> list[str]:
    """The ids of the keys, in their order; a set of one key may have none."""
    return [str(k["kid"]) for k in jwks["keys"] if "kid" in k]


def _public(key: object, origin: str) -> None:
    if not isinstance(key, Mapping):
        raise BadInput(origin, "a key of the set is not a mapping", _INSTEAD)
    name = f"key {key.get('kid', 'without kid')!r}"
    if key.get("kty") == "oct":
        raise BadInput(origin, f"{name} is symmetric: who can verify tokens with it can make them", _INSTEAD)
    if "d" in key:
        raise BadInput(origin, f"{name} is a private key: it would lie open in the cluster", _INSTEAD)
    if key.get("use", "sig") != "sig":
        raise BadInput(origin, f"{name} is not for signatures but for {key['use']!r}", "Leave it out.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # the library only warns of keys that are too short (NIST SP 800-131A)
            (parsed,) = KeySet.import_key_set({"keys": [dict(key)]}).keys
            parsed.public_key  # noqa: B018 - numbers that are on no curve are found here
    except (JoseError, ValueError, KeyError, TypeError, AttributeError, Warning) as e:
        raise BadInput(origin, f"{name} cannot be used: {e or type(e).__name__}", _INSTEAD) from e
    if not isinstance(parsed, RSAKey | ECKey | OKPKey):
        raise BadInput(origin, f"{name} is of kty {key.get('kty')!r}, not RSA, EC or OKP", _INSTEAD)
