"""A registry in memory, cosign's signatures made with a key, and a small sigstore of our own."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import rfc8785
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mirror.evidence.find import SIGNS, Found, find
from mirror.evidence.judge import Document, Judge, document
from mirror.evidence.policy import Keyless, SignatureRule
from mirror.evidence.reader import Referrer, parse_referrers
from mirror.evidence.statement import ENVELOPE, INTOTO, SIGNATURE, SIMPLE, pae
from mirror.layout import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, Descriptor, digest, encode, links
from mirror.lock import LockedImage
from mirror.platforms import cut
from mirror.reference import Reference

APP = Reference("quay.io", "org/app")


@dataclass
class Memory:
    """A registry in memory, as evidence is read from it."""

    tags: dict[str, str] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    speaks_referrers: bool = True

    def add(self, content: bytes) -> str:
        self.blobs[digest(content)] = content
        return digest(content)

    def push(self, manifest: bytes, tag: str | None = None) -> str:
        if tag:
            self.tags[tag] = digest(manifest)
        return self.add(manifest)

    def manifest(self, reference: Reference) -> bytes | None:
        return self.blobs.get(reference.digest or self.tags.get(reference.tag or "", ""))

    def blob(self, reference: Reference, manifest: bytes, d: Descriptor) -> bytes:
        return self.blobs[d.digest]

    def referrers(self, reference: Reference) -> list[Referrer]:
        if not self.speaks_referrers:
            index = self.manifest(Reference("quay.io", "org/app", str(reference.digest).replace(":", "-")))
            return parse_referrers(index) if index else []
        found = []
        for content in list(self.blobs.values()):
            data = json.loads(content) if content.startswith(b"{") else {}
            subject = data.get("subject") if isinstance(data, dict) else None
            if isinstance(subject, dict) and subject.get("digest") == reference.digest:
                found.append(Referrer(Descriptor.of(OCI_MANIFEST, content), data.get("artifactType", "")))
        return found

    def artifact(self, layers: list[tuple[str, dict[str, str], bytes]], **more: Any) -> bytes:  # noqa: ANN401
        described = [
            {**Descriptor(t, self.add(c), len(c)).json(), **({"annotations": a} if a else {})} for t, a, c in layers
        ]
        config = {"mediaType": OCI_CONFIG, "digest": self.add(b"{}"), "size": 2}
        return encode({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": described, **more})

    def image(self, name: str) -> str:
        return self.push(self.artifact([("layer", {}, name.encode())]))

    def index(self, platforms: dict[str, str], tag: str = "1", extra: list[dict[str, Any]] | None = None) -> bytes:
        entries = [
            {
                **Descriptor(OCI_MANIFEST, d, len(self.blobs[d])).json(),
                "platform": {"os": "linux", "architecture": a},
            }
            for a, d in platforms.items()
        ]
        made = encode({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [*entries, *(extra or [])]})
        self.push(made, tag)
        return made


@dataclass
class Case:
    """An image upstream, carried whole or cut, and what is found and judged of it."""

    registry: Memory
    upstream: bytes
    carried: bytes

    @property
    def image(self) -> LockedImage:
        found = self.found()
        return LockedImage(
            reference=f"{APP.name}:1",
            digest=digest(self.carried),
            upstream_digest=digest(self.upstream),
            media_type=json.loads(self.carried)["mediaType"],
            platforms=["linux/amd64"],
            size=1,
            licence="MIT",
            found=[],
            evidence=[f.locked for f in found],
        )

    def found(self) -> list[Found]:
        return find(APP, digest(self.upstream), self.carried, self.upstream, self.registry)

    def documents(self) -> list[Document]:
        def content(d: Descriptor) -> bytes:
            return self.upstream if d.digest == digest(self.upstream) else self.registry.blobs[d.digest]

        return [document(f.locked, f.manifest, content) for f in self.found()]

    def judged(self, *rules: SignatureRule, trusted_root: dict[str, Any] | None = None) -> tuple[bool, str]:
        verdict = Judge(rules, trusted_root).judge(self.image, self.carried, self.documents())
        return verdict.signed, verdict.because


@pytest.fixture
def whole() -> Case:
    """An index of one platform, carried as it is."""
    registry = Memory()
    made = registry.index({"amd64": registry.image("amd64")})
    return Case(registry, made, made)


@pytest.fixture
def cut_case() -> Case:
    """An index of two platforms, of which one is carried."""
    registry = Memory()
    made = registry.index({"amd64": registry.image("amd64"), "arm64": registry.image("arm64")})
    carried = cut(made, ["linux/amd64"])
    assert carried
    return Case(registry, made, carried)


def leaf(case: Case) -> str:
    return links(case.carried, "carried")[0].digest


def payload(subject: str, type_: str = "cosign container image signature") -> bytes:
    critical = {"identity": {"docker-reference": APP.name}, "image": {"docker-manifest-digest": subject}, "type": type_}
    return json.dumps({"critical": critical, "optional": None}).encode()


def statement(subject: str, predicate_type: str = SIGNS) -> bytes:
    subjects = [{"name": APP.name, "digest": {"sha256": subject.partition(":")[2]}}]
    data = {"_type": "https://in-toto.io/Statement/v1", "subject": subjects, "predicateType": predicate_type}
    return json.dumps({**data, "predicate": {}}).encode()


@dataclass
class Signer:
    """An ECDSA key that signs as cosign does."""

    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def pem(self) -> str:
        kind = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.key.public_key().public_bytes(serialization.Encoding.PEM, kind).decode()

    def rule(self, images: str = "quay.io/**", **more: Any) -> SignatureRule:  # noqa: ANN401
        return SignatureRule(images=images, keys=[self.pem], **more)

    def sign(self, content: bytes) -> bytes:
        return self.key.sign(content, ec.ECDSA(hashes.SHA256()))

    def simple(self, case: Case, subject: str, content: bytes | None = None) -> None:
        """cosign's signature of ``subject`` in its tag; ``content`` replaces what is signed."""
        content = payload(subject) if content is None else content
        said = {SIGNATURE: base64.b64encode(self.sign(content)).decode()}
        case.registry.push(case.registry.artifact([(SIMPLE, said, content)]), f"{subject.replace(':', '-')}.sig")

    def envelope(self, content: bytes, type_: str = INTOTO) -> dict[str, Any]:
        signature = base64.b64encode(self.sign(pae(type_, content))).decode()
        return {"payloadType": type_, "payload": base64.b64encode(content).decode(), "signatures": [{"sig": signature}]}

    def attest(self, case: Case, subject: str, predicate_type: str) -> None:
        layer = (
            ENVELOPE,
            {"predicateType": predicate_type},
            json.dumps(self.envelope(statement(subject, predicate_type))).encode(),
        )
        case.registry.push(case.registry.artifact([layer]), f"{subject.replace(':', '-')}.att")


def refer(case: Case, subject: str, type_: str, content: bytes, **more: Any) -> str:  # noqa: ANN401
    """Push an artifact that refers to ``subject``; returns its digest."""
    pointer = {"mediaType": OCI_INDEX, "digest": subject, "size": 1}
    made = case.registry.artifact([(type_, {}, content)], artifactType=type_, subject=pointer, **more)
    if not case.registry.speaks_referrers:
        entry = {**Descriptor.of(OCI_MANIFEST, made).json(), "artifactType": type_}
        index = encode({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]})
        case.registry.push(index, subject.replace(":", "-"))
    return case.registry.push(made)


SIGSTORE_BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
ISSUER, IDENTITY = "https://accounts.test", "https://ci.test/org/app/release.yaml@refs/tags/v1"
KEYLESS = Keyless(issuer=ISSUER, identity=IDENTITY)


class Sigstore:
    """A certificate authority, a certificate log and a transparency log, and the trusted root that names them."""

    def __init__(self, now: datetime | None = None) -> None:
        self.now = (now or datetime.now(UTC)).replace(microsecond=0)
        self.ca, self.ct, self.rekor = Signer(), Signer(), Signer()
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test fulcio")])
        usage = dict.fromkeys(
            ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
             "crl_sign", "encipher_only", "decipher_only"), False,
        )  # fmt: skip
        self.usage = usage
        self.root = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.ca.key.public_key())
            .serial_number(1)
            .not_valid_before(self.now - timedelta(days=9))
            .not_valid_after(self.now + timedelta(days=9))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.KeyUsage(**usage, key_cert_sign=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.ca.key.public_key()), critical=False)
            .sign(self.ca.key, hashes.SHA256())
        )

    @staticmethod
    def _spki(signer: Signer) -> bytes:
        kind = serialization.PublicFormat.SubjectPublicKeyInfo
        return signer.key.public_key().public_bytes(serialization.Encoding.DER, kind)

    @classmethod
    def _id(cls, signer: Signer) -> bytes:
        return hashlib.sha256(cls._spki(signer)).digest()

    @property
    def trusted_root(self) -> dict[str, Any]:
        valid = {"start": (self.now - timedelta(days=9)).isoformat().replace("+00:00", "Z")}

        def log(signer: Signer, name: str) -> dict[str, Any]:
            key = {"rawBytes": b64(self._spki(signer)), "keyDetails": "PKIX_ECDSA_P256_SHA_256", "validFor": valid}
            url, key_id = f"https://{name}.invalid", {"keyId": b64(self._id(signer))}
            return {"baseUrl": url, "hashAlgorithm": "SHA2_256", "publicKey": key, "logId": key_id}

        certificate = self.root.public_bytes(serialization.Encoding.DER)
        authority = {
            "subject": {"organization": "test", "commonName": "test fulcio"},
            "uri": "https://fulcio.invalid",
            "certChain": {"certificates": [{"rawBytes": b64(certificate)}]},
            "validFor": valid,
        }
        return {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [log(self.rekor, "rekor")],
            "certificateAuthorities": [authority],
            "ctlogs": [log(self.ct, "ctfe")],
            "timestampAuthorities": [],
        }

    def certificate(self, signer: Signer, identity: str = IDENTITY, issuer: str = ISSUER) -> x509.Certificate:
        """A certificate of ten minutes with the log's timestamp in it."""
        bare = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self.root.subject)
            .public_key(signer.key.public_key())
            .serial_number(2)
            .not_valid_before(self.now - timedelta(minutes=5))
            .not_valid_after(self.now + timedelta(minutes=5))
            .add_extension(
                x509.KeyUsage(**{**self.usage, "digital_signature": True}, key_cert_sign=False), critical=True
            )
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(signer.key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.ca.key.public_key()), critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(identity)]), critical=True)
            .add_extension(
                x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1"), issuer.encode()),
                critical=False,
            )
        )
        tbs = bare.sign(self.ca.key, hashes.SHA256()).tbs_certificate_bytes
        milliseconds = int(self.now.timestamp() * 1000)
        entry = self._id(self.ca) + len(tbs).to_bytes(3, "big") + tbs
        signed = struct.pack("!BBQH", 0, 0, milliseconds, 1) + entry + struct.pack("!H", 0)
        signature = self.ct.sign(signed)
        one = struct.pack("!B32sQHBBH", 0, self._id(self.ct), milliseconds, 0, 4, 3, len(signature)) + signature
        listed = struct.pack("!HH", len(one) + 2, len(one)) + one
        octets = b"\x04" + (bytes([len(listed)]) if len(listed) < 128 else bytes([0x81, len(listed)])) + listed
        oid = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
        return bare.add_extension(x509.UnrecognizedExtension(oid, octets), critical=False).sign(
            self.ca.key, hashes.SHA256()
        )

    def promise(self, body: bytes) -> dict[str, Any]:
        """Rekor's entry of ``body`` and its promise to include it."""
        entry = {"body": b64(body), "integratedTime": int(self.now.timestamp()), "logID": self._id(self.rekor).hex()}
        entry["logIndex"] = 0
        return {"SignedEntryTimestamp": b64(self.rekor.sign(rfc8785.dumps(entry))), "Payload": entry}

    def simple(self, case: Case, subject: str, identity: str = IDENTITY, issuer: str = ISSUER, **wrong: Any) -> None:  # noqa: ANN401
        """cosign 2's keyless signature in its tag; ``wrong`` replaces what the log is told."""
        signer, content = Signer(), payload(subject)
        pem = self.certificate(signer, identity, issuer).public_bytes(serialization.Encoding.PEM)
        signature = signer.sign(content)
        body = {
            "apiVersion": "0.0.1",
            "kind": "hashedrekord",
            "spec": {
                "data": {"hash": {"algorithm": "sha256", "value": hashlib.sha256(content).hexdigest(), **wrong}},
                "signature": {"content": b64(signature), "publicKey": {"content": b64(pem)}},
            },
        }
        said = {
            SIGNATURE: b64(signature),
            "dev.sigstore.cosign/certificate": pem.decode(),
            "dev.sigstore.cosign/bundle": json.dumps(self.promise(json.dumps(body).encode())),
        }
        case.registry.push(case.registry.artifact([(SIMPLE, said, content)]), f"{subject.replace(':', '-')}.sig")

    def bundle(self, content: bytes, identity: str = IDENTITY, issuer: str = ISSUER) -> bytes:
        """A sigstore bundle 0.3 over the in-toto statement ``content``, with a proof of inclusion in a log of one."""
        signer = Signer()
        certificate = self.certificate(signer, identity, issuer)
        envelope = signer.envelope(content)
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        spec = {
            "envelopeHash": {"algorithm": "sha256", "value": hashlib.sha256(json.dumps(envelope).encode()).hexdigest()},
            "payloadHash": {"algorithm": "sha256", "value": hashlib.sha256(content).hexdigest()},
            "signatures": [{"signature": envelope["signatures"][0]["sig"], "verifier": b64(pem)}],
        }
        body = json.dumps({"apiVersion": "0.0.1", "kind": "dsse", "spec": spec}).encode()
        promise = self.promise(body)
        root = hashlib.sha256(b"\x00" + body).digest()
        note = f"rekor.invalid\n1\n{b64(root)}\n"
        signed = b64(self._id(self.rekor)[:4] + self.rekor.sign(note.encode()))
        entry = {
            "logIndex": "0",
            "logId": {"keyId": b64(self._id(self.rekor))},
            "kindVersion": {"kind": "dsse", "version": "0.0.1"},
            "integratedTime": str(promise["Payload"]["integratedTime"]),
            "inclusionPromise": {"signedEntryTimestamp": promise["SignedEntryTimestamp"]},
            "inclusionProof": {
                "logIndex": "0",
                "rootHash": b64(root),
                "treeSize": "1",
                "hashes": [],
                "checkpoint": {"envelope": f"{note}\n— rekor.invalid {signed}\n"},
            },
            "canonicalizedBody": b64(body),
        }
        der = certificate.public_bytes(serialization.Encoding.DER)
        material = {"certificate": {"rawBytes": b64(der)}, "tlogEntries": [entry]}
        made = {"mediaType": SIGSTORE_BUNDLE, "verificationMaterial": material, "dsseEnvelope": envelope}
        return json.dumps(made).encode()


def b64(content: bytes) -> str:
    return base64.b64encode(content).decode()
