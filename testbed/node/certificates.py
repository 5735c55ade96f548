"""Keys and certificates of the site: ECDSA P-256, valid for 30 days, made anew for every rehearsal."""

from __future__ import annotations

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_VALID = datetime.timedelta(days=30)
_SKEW = datetime.timedelta(minutes=5)


@dataclass(frozen=True)
class Credential:
    """A certificate and its key, as PEM files."""

    certificate: Path
    key: Path


class Authority:
    """A private certificate authority that writes what it issues into ``directory``."""

    def __init__(self, directory: Path, name: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        usage = _usage(sign_certificates=True)
        builder = _builder(self._name, self._name, self._key.public_key(), self._key.public_key())
        builder = builder.add_extension(usage, critical=True)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self._certificate = builder.sign(self._key, hashes.SHA256())
        self.files = _write(directory, name, self._key, self._certificate)

    @property
    def certificate(self) -> Path:
        """The authority's own certificate, PEM."""
        return self.files.certificate

    def issue(
        self, file: str, common_name: str, *, organization: str | None = None, names: tuple[str, ...] = ()
    ) -> Credential:
        """Issue ``file``.crt and ``file``.key for clients, and for servers too when ``names`` (DNS or IP) are given."""
        key = ec.generate_private_key(ec.SECP256R1())
        attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)] if organization else []
        subject = x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        purposes = [ExtendedKeyUsageOID.CLIENT_AUTH] + ([ExtendedKeyUsageOID.SERVER_AUTH] if names else [])
        builder = _builder(subject, self._name, key.public_key(), self._key.public_key())
        builder = builder.add_extension(_usage(sign_certificates=False), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([_alternative(n) for n in names]), False)
        return _write(self._directory, file, key, builder.sign(self._key, hashes.SHA256()))


def signing_key(directory: Path, file: str) -> Credential:
    """A bare key pair, as for service account tokens; ``certificate`` is the public key's PEM."""
    directory.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    public = directory / f"{file}.pub"
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    public.write_bytes(key.public_key().public_bytes(serialization.Encoding.PEM, form))
    return Credential(public, _write_key(directory / f"{file}.key", key))


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, signer: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=public)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - _SKEW).not_valid_after(now + _VALID)
    # Strict verifiers (Python 3.13's default) ask for both identifiers: RFC 5280, 4.2.1.1 and 4.2.1.2.
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    return builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer), critical=False)


def _usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _write(directory: Path, file: str, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> Credential:
    path = directory / f"{file}.crt"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return Credential(path, _write_key(directory / f"{file}.key", key))


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> Path:
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    path.touch(mode=0o600)
    path.chmod(0o600)  # before the key is in it, also when the file was there
    path.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return path
