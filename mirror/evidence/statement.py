"""What a signature says and who said it: cosign's simple signing, DSSE envelopes and sigstore bundles.

cosign: https://github.com/sigstore/cosign/blob/v2.6.0/specs/SIGNATURE_SPEC.md; DSSE: https://github.com/secure-systems-lab/dsse
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from .find import BUNDLE, SIGNS
from .policy import Refused, SignatureRule

if TYPE_CHECKING:
    from .keyless import TrustedSigners  # It takes most of a second to import, and keys need none of it.

SIMPLE = "application/vnd.dev.cosign.simplesigning.v1+json"
ENVELOPE = "application/vnd.dsse.envelope.v1+json"
SIGNATURE = "dev.cosignproject.cosign/signature"
INTOTO = "application/vnd.in-toto+json"


@dataclass(frozen=True)
class Layer:
    """A layer of a manifest of evidence."""

    media_type: str
    annotations: Mapping[str, str]
    content: bytes


@dataclass(frozen=True)
class Statement:
    """Something said about some digests, with a signature that holds."""

    digests: frozenset[str]
    predicate_type: str
    signer: str


def statements(
    layers: Sequence[Layer], rule: SignatureRule, keyless: TrustedSigners | None
) -> Iterator[Statement | str]:
    """What ``layers`` say by a signer of ``rule``; for each other one, why it counts for nothing."""
    for layer in layers:
        try:
            if layer.media_type == SIMPLE:
                yield _simple(layer, rule, keyless)
            elif layer.media_type == ENVELOPE:
                yield _enveloped(json.loads(layer.content), rule)
            elif layer.media_type.startswith(BUNDLE):
                yield _bundled(layer.content, rule, keyless)
        except Refused as e:
            yield str(e)
        except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as e:
            yield f"malformed: {e!r}"


def _simple(layer: Layer, rule: SignatureRule, keyless: TrustedSigners | None) -> Statement:
    signature = base64.b64decode(layer.annotations[SIGNATURE], validate=True)
    signer = _by_key(rule, signature, layer.content)
    if not signer and keyless and rule.keyless:
        signer = keyless.simple(layer.annotations, signature, layer.content, rule.keyless)
    if not signer:
        raise Refused("it is signed by none of the keys")
    critical = json.loads(layer.content)["critical"]
    if critical["type"] != "cosign container image signature":
        raise Refused(f"it signs {critical['type']!r}, no image")
    return Statement(frozenset([str(critical["image"]["docker-manifest-digest"])]), SIGNS, signer)


def _enveloped(envelope: Mapping[str, Any], rule: SignatureRule) -> Statement:
    payload = base64.b64decode(envelope["payload"])
    for each in envelope["signatures"]:
        signature = base64.b64decode(each["sig"])
        if signer := _by_key(rule, signature, pae(envelope["payloadType"], payload)):
            return _stated(envelope["payloadType"], payload, signer)
    raise Refused("it is signed by none of the keys")


def _bundled(content: bytes, rule: SignatureRule, keyless: TrustedSigners | None) -> Statement:
    data = json.loads(content)
    if "publicKey" in data["verificationMaterial"]:
        return _enveloped(data["dsseEnvelope"], rule)
    if not keyless or not rule.keyless:
        raise Refused("it is signed with a certificate, and the rule names keys")
    type_, payload, signer = keyless.bundle(content, rule.keyless)
    return _stated(type_, payload, signer)


def _stated(type_: str, payload: bytes, signer: str) -> Statement:
    if type_ != INTOTO:
        raise Refused(f"it signs a payload of type {type_!r}, no in-toto statement")
    data = json.loads(payload)
    digests = frozenset(f"sha256:{s['digest']['sha256']}" for s in data["subject"] if "sha256" in s["digest"])
    return Statement(digests, str(data["predicateType"]), signer)


def pae(payload_type: str, payload: bytes) -> bytes:
    """What a DSSE signature is over: the pre-authentication encoding."""
    return b"DSSEv1 %d %s %d %s" % (len(payload_type), payload_type.encode(), len(payload), payload)


def _by_key(rule: SignatureRule, signature: bytes, content: bytes) -> str | None:
    """The key of ``rule`` that made ``signature``, by the beginning of its sha256; None for none of them."""
    for pem in rule.keys:
        key = load_pem_public_key(pem.encode())
        try:
            if isinstance(key, EllipticCurvePublicKey):
                key.verify(signature, content, ECDSA(SHA256()))
            elif isinstance(key, Ed25519PublicKey):
                key.verify(signature, content)
            elif isinstance(key, RSAPublicKey):
                key.verify(signature, content, PKCS1v15(), SHA256())
            else:
                continue
        except InvalidSignature:
            continue
        return f"key {hashlib.sha256(pem.strip().encode()).hexdigest()[:16]}"
    return None
