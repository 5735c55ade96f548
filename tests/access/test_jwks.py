from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from access import jwks
from mirror.errors import BadInput

EC = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, auto_kid=True)
RSA = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True)
OKP = OKPKey.generate_key("Ed25519", {"use": "sig"}, auto_kid=True)
SHORT = ECKey.generate_key("P-256", auto_kid=False)


def public(*keys: Any) -> dict[str, Any]:  # noqa: ANN401 - keys of any kind
    return {"keys": [k.as_dict(private=False) for k in keys]}


def test_public_keys_of_an_identity_provider_are_taken_as_they_are() -> None:
    given = public(EC, RSA, OKP)
    assert jwks.checked(given, "x") == given
    assert jwks.kids(given) == [EC.kid, RSA.kid, OKP.kid]


def test_a_single_key_needs_no_id() -> None:
    assert jwks.kids(jwks.checked(public(SHORT), "x")) == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"keys": [EC.as_dict(private=True)]}, "private key"),
        ({"keys": [RSA.as_dict(private=True)]}, "private key"),
        ({"keys": [OctKey.generate_key(256).as_dict(private=True)]}, "symmetric"),
        ({"keys": []}, "not a JSON Web Key Set"),
        ([], "not a JSON Web Key Set"),
        ({"keys": ["x"]}, "not a mapping"),
        ({"keys": [{**EC.as_dict(private=False), "use": "enc"}]}, "not for signatures"),
        ({"keys": [{**EC.as_dict(private=False), "x": "AAAA"}]}, "cannot be used"),
        ({"keys": [{"kty": "EC", "crv": "P-256", "kid": "a"}]}, "cannot be used"),
        ({"keys": [{"kty": "XYZ", "kid": "a"}]}, "cannot be used"),
        ({"keys": [EC.as_dict(private=False)] * 2}, "two keys have the kid"),
        (public(EC, SHORT), "not each has a kid"),
    ],
)
def test_what_must_not_or_cannot_verify_tokens_is_refused(given: object, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        jwks.checked(given, "x")


def test_a_short_rsa_key_is_refused() -> None:
    number = rsa.generate_private_key(65537, 1024).public_key().public_numbers().n
    text = base64.urlsafe_b64encode(number.to_bytes(128)).decode().rstrip("=")
    with pytest.raises(BadInput, match="2048 bits"):
        jwks.checked({"keys": [{"kty": "RSA", "n": text, "e": "AQAB", "kid": "a"}]}, "x")


@pytest.mark.parametrize("text", ["", "{", "keys: []"])
def test_a_file_that_is_not_json_is_refused_by_its_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "jwks.json").write_text(text)
    with pytest.raises(BadInput, match=r"jwks\.json: it is not JSON"):
        jwks.read(tmp_path / "jwks.json")


def test_a_file_that_is_not_there_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"jwks\.json"):
        jwks.read(tmp_path / "jwks.json")
