"""Signers without a key of their own, judged offline: Fulcio's certificate, its log, Rekor's entry, by a trusted root.

Sigstore bundles are verified by the ``sigstore`` package. cosign 2's signatures in tags carry Rekor's promise without
a proof of inclusion, which that package refuses to read as a bundle, so its parts are put together here for them:
certificate chain at the time of the entry, certificate log, promise, identity, and that the entry is about this
signature. https://docs.sigstore.dev/about/security
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import (
    Certificate,
    ExtensionNotFound,
    RFC822Name,
    SubjectAlternativeName,
    UniformResourceIdentifier,
    load_pem_x509_certificate,
)
from pydantic import ValidationError
from sigstore._internal.sct import verify_sct
from sigstore._internal.timestamp import TimestampSource, TimestampVerificationResult
from sigstore._internal.trust import KeyringPurpose
from sigstore._utils import KeyID
from sigstore.errors import Error as SigstoreError
from sigstore.models import Bundle, TrustedRoot
from sigstore.verify import Verifier
from sigstore.verify.policy import AnyOf, OIDCIssuer, OIDCIssuerV2
from sigstore_models.trustroot.v1 import TrustedRoot as TrustedRootData

from ..errors import BadInput
from .policy import Keyless, Refused

CERTIFICATE = "dev.sigstore.cosign/certificate"
PROMISE = "dev.sigstore.cosign/bundle"


class TrustedSigners:
    """Judges keyless signatures by one trusted root, without a network."""

    def __init__(self, trusted_root: Mapping[str, Any]) -> None:
        """``trusted_root`` is sigstore's trusted_root.json; raises BadInput when it is none."""
        try:
            self._root = TrustedRoot(TrustedRootData.from_json(json.dumps(trusted_root)))
            self._verifier = Verifier(trusted_root=self._root)
        except (SigstoreError, ValidationError, ValueError) as e:
            raise BadInput("trusted_root.json", f"no trusted root of sigstore: {e}", "Take sigstore's own.") from e

    def bundle(self, content: bytes, signers: Sequence[Keyless]) -> tuple[str, bytes, str]:
        """Type and payload of a sigstore bundle's envelope, and its signer; raises Refused."""
        with _refusing():
            policy = _Policy(signers)
            type_, payload = self._verifier.verify_dsse(Bundle.from_json(content), policy)
        return type_, payload, policy.signer

    def simple(self, said: Mapping[str, str], signature: bytes, payload: bytes, signers: Sequence[Keyless]) -> str:
        """The signer of cosign's simple signing ``payload``, by the annotations ``said`` beside it; raises Refused."""
        if CERTIFICATE not in said or PROMISE not in said:
            raise Refused("it has no certificate, or no entry in the transparency log")
        with _refusing():
            certificate = load_pem_x509_certificate(said[CERTIFICATE].encode())
            promise = json.loads(said[PROMISE])
            entry = promise["Payload"]
            self._promised(entry, base64.b64decode(promise["SignedEntryTimestamp"]))
            _is_about(base64.b64decode(entry["body"]), said[CERTIFICATE], signature, payload)
            at = datetime.fromtimestamp(int(entry["integratedTime"]), UTC)
            self._certified(certificate, at)
            policy = _Policy(signers)
            policy.verify(certificate)
            key = certificate.public_key()
            if not isinstance(key, EllipticCurvePublicKey):
                raise Refused("its certificate holds no ECDSA key")
            key.verify(signature, payload, ECDSA(SHA256()))
        return policy.signer

    def _promised(self, entry: Mapping[str, Any], signature: bytes) -> None:
        signed = rfc8785.dumps({k: entry[k] for k in ("body", "integratedTime", "logID", "logIndex")})
        keyring = self._root.rekor_keyring(KeyringPurpose.VERIFY)
        keyring.verify(key_id=KeyID(bytes.fromhex(entry["logID"])), signature=signature, data=signed)

    def _certified(self, certificate: Certificate, at: datetime) -> None:
        time = TimestampVerificationResult(source=TimestampSource.TRANSPARENCY_SERVICE, time=at)
        chain = self._verifier._verify_chain_at_time(certificate, time)
        verify_sct(certificate, chain, self._root.ct_keyring(KeyringPurpose.VERIFY))


class _Policy:
    """Any of some signers; remembers which."""

    def __init__(self, signers: Sequence[Keyless]) -> None:
        self._signers = signers
        self.signer = ""

    def verify(self, certificate: Certificate) -> None:
        """See :class:`sigstore.verify.policy.VerificationPolicy`; raises Refused."""
        names = _names(certificate)
        for signer in self._signers:
            if any(_is(signer, n) for n in names):
                with suppress(SigstoreError):
                    AnyOf([OIDCIssuer(signer.issuer), OIDCIssuerV2(signer.issuer)]).verify(certificate)
                    self.signer = str(signer)
                    return
        raise Refused(f"it is signed by {', '.join(names) or 'nobody'}, whom the rule does not name")


def _names(certificate: Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(SubjectAlternativeName).value
    except ExtensionNotFound:
        return []
    return [*names.get_values_for_type(RFC822Name), *names.get_values_for_type(UniformResourceIdentifier)]


def _is(signer: Keyless, name: str) -> bool:
    if signer.identity is not None:
        return signer.identity == name
    return re.fullmatch(str(signer.identity_pattern), name) is not None


def _is_about(body: bytes, certificate: str, signature: bytes, payload: bytes) -> None:
    """The entry in the log is of this payload, signature and certificate, not of another's (CVE-2022-36056)."""
    data = json.loads(body)
    spec = data["spec"]
    if data["kind"] != "hashedrekord":
        raise Refused(f"its log entry is a {data['kind']}")
    logged = load_pem_x509_certificate(base64.b64decode(spec["signature"]["publicKey"]["content"]))
    if (
        spec["data"]["hash"] != {"algorithm": "sha256", "value": hashlib.sha256(payload).hexdigest()}
        or base64.b64decode(spec["signature"]["content"]) != signature
        or logged != load_pem_x509_certificate(certificate.encode())
    ):
        raise Refused("its log entry is about another signature")


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except InvalidSignature as e:
        raise Refused("its signature is not the certificate's") from e
    except (SigstoreError, ValueError, KeyError, TypeError) as e:
        raise Refused(f"{e}" or type(e).__name__) from e
