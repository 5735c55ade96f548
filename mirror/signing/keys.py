"""Signing keys: in files (PKCS#8, encrypted at rest) or in a hardware module, named by a path or a ``pkcs11:`` URI."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from securesystemslib.signer import CryptoSigner, Signer, SSlibKey

from ..errors import BadInput
from . import hsm

Algorithm = Literal["ed25519", "ecdsa-p256"]

PASSPHRASE = "SEALIFT_KEY_PASSPHRASE"  # noqa: S105 - the name of the variable
"""The environment variable that holds the passphrase of key files, where no file does."""

_PublicBytes = PublicFormat.SubjectPublicKeyInfo


def create(path: Path, algorithm: Algorithm, passphrase: bytes | None) -> SSlibKey:
    """Make a key: the private half in ``path`` (mode 0600, never overwritten), the public half in ``path``.pub.

    ``passphrase`` None leaves the file readable to whoever can read it. Raises BadInput when ``path`` exists.
    """
    private: Ed25519PrivateKey | EllipticCurvePrivateKey
    private = Ed25519PrivateKey.generate() if algorithm == "ed25519" else generate_private_key(SECP256R1())
    encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as f:
            f.write(pem)
    except FileExistsError:
        require_free(path)
        raise
    public = private.public_key()
    path.with_name(path.name + ".pub").write_bytes(public.public_bytes(Encoding.PEM, _PublicBytes))
    return SSlibKey.from_crypto(public)


def require_free(path: Path) -> None:
    """Raise BadInput when something is at ``path``."""
    if path.exists() or path.is_symlink():
        raise BadInput(str(path), "it exists, and a key is never overwritten", "Give another path.")


def signer(key: str, passphrases: Sequence[bytes] = ()) -> Signer:
    """What signs with ``key``, a path or a ``pkcs11:`` URI; each of ``passphrases`` is tried on an encrypted file.

    Raises BadInput for a file that others may read, that is no key, or that no passphrase opens.
    """
    if hsm.is_uri(key):
        return hsm.signer(key)
    path = Path(key)
    content = _read(path)
    if path.stat().st_mode & 0o077:
        raise BadInput(key, "others than its owner may read it", f"chmod 600 {key}, and ask whether it was copied.")
    private = None
    for passphrase in (*passphrases, None):
        try:
            private = load_pem_private_key(content, passphrase)
            break
        except (TypeError, ValueError, UnsupportedAlgorithm):
            continue
    if not isinstance(private, Ed25519PrivateKey | EllipticCurvePrivateKey):
        why = "no passphrase that was given opens it" if b"ENCRYPTED" in content else "no private key of a known kind"
        instead = f"Give --passphrase-file, or the variable {PASSPHRASE}." if b"ENCRYPTED" in content else KINDS
        raise BadInput(key, why, instead)
    return CryptoSigner(private, _known(key, private.public_key()))


def public(key: str, passphrases: Sequence[bytes] = ()) -> SSlibKey:
    """The public half of ``key``: a ``.pub`` file, a private key file or a ``pkcs11:`` URI; raises BadInput."""
    if hsm.is_uri(key):
        return hsm.public(key)
    content = _read(Path(key))
    if b"PUBLIC KEY" in content:
        try:
            return _known(key, load_pem_public_key(content))
        except (ValueError, UnsupportedAlgorithm) as e:
            raise BadInput(key, f"no public key: {e}", KINDS) from e
    found = signer(key, passphrases).public_key
    assert isinstance(found, SSlibKey)
    return found


KINDS = "Give an Ed25519 or ECDSA P-256 key in PEM, as `sealift key create` makes them."


def pem(key: SSlibKey) -> str:
    """``key`` in PEM, as it is compared by eye or put into another tool."""
    return str(key.keyval["public"]).strip() + "\n"


def given_passphrases(files: Sequence[Path]) -> list[bytes]:
    """What ``files`` and the environment hold, without the newline at the end; raises BadInput."""
    found = [_read(f).rstrip(b"\r\n") for f in files]
    if from_environment := os.environ.get(PASSPHRASE):
        found.append(from_environment.encode())
    for file, passphrase in zip(files, found, strict=False):
        if not passphrase:
            raise BadInput(str(file), "it is empty", "Write the passphrase into it.")
    return found


def _known(origin: str, public_key: PublicKeyTypes) -> SSlibKey:
    try:
        key = SSlibKey.from_crypto(public_key)
    except ValueError as e:
        raise BadInput(origin, str(e), KINDS) from e
    if key.scheme not in ("ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384"):
        raise BadInput(origin, f"a key of scheme {key.scheme}", KINDS)
    return key


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as e:
        raise BadInput(str(path), e.strerror or str(e), "Give a readable file.") from e
