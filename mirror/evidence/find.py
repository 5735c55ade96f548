"""Finding what upstream says about an image: by cosign's tags, by the referrers API, and inside BuildKit's indexes.

cosign: https://github.com/sigstore/cosign/blob/v2.6.0/specs/SIGNATURE_SPEC.md
BuildKit: https://github.com/moby/buildkit/blob/v0.25.0/docs/attestations/attestation-storage.md
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..errors import Damaged, NotUpstream
from ..layout import INDEXES, OCI_MANIFEST, Descriptor, digest, encode, links, media_type
from ..lock import LockedEvidence
from ..reference import Reference
from .reader import Reader

Kind = Literal["signature", "attestation", "sbom"]

TAGS: dict[str, Kind] = {"sig": "signature", "att": "attestation", "sbom": "sbom"}
"""Suffixes of cosign's tags, ``sha256-<hex>.<suffix>``."""
SIGNS = "https://sigstore.dev/cosign/sign/v1"
"""The predicate type of cosign 3's signatures, which are attestations in form."""
BUNDLE = "application/vnd.dev.sigstore.bundle"
UPSTREAM_INDEX = "application/vnd.sealift.upstream-index.v1"
LARGEST = 32 << 20
"""Bytes of evidence beyond which it is not carried: nothing that is judged is that large."""


@dataclass(frozen=True)
class Found:
    """Evidence and its manifest."""

    locked: LockedEvidence
    manifest: bytes


def find(image: Reference, upstream_digest: str, kept: bytes, upstream: bytes, reader: Reader) -> list[Found]:
    """What is said about ``image``, as upstream has it and about each platform that is kept, sorted by reference.

    ``kept`` is the manifest or index that is carried, ``upstream`` the one that upstream's tag named. Where they
    differ, upstream's own index is evidence too: signatures are about it, and what is carried was in it.
    """
    subjects = [upstream_digest]
    if media_type(kept, str(image)) in INDEXES:
        subjects += [d.digest for d in links(kept, str(image))]
    found: dict[str, Found] = {}
    for subject in dict.fromkeys(subjects):
        for item in [*_tagged(image, subject, reader), *_referring(image, subject, reader)]:
            found.setdefault(item.locked.digest, item)
    for item in _inside(image, upstream, set(subjects), reader):
        found.setdefault(item.locked.digest, item)
    if found and upstream != kept:
        found["index"] = wrapped(image, upstream_digest, upstream)
    return sorted(found.values(), key=lambda f: f.locked.reference)


def wrapped(image: Reference, upstream_digest: str, upstream: bytes) -> Found:
    """Upstream's own index as an artifact: it cannot stand as an index where the platforms it names do not."""
    layer = Descriptor("application/octet-stream", upstream_digest, len(upstream))
    empty = Descriptor.of("application/vnd.oci.empty.v1+json", b"{}")
    manifest = encode(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": UPSTREAM_INDEX,
            "config": empty.json(),
            "layers": [layer.json()],
        }
    )
    locked = LockedEvidence(
        kind="index",
        subject=upstream_digest,
        reference=_tag(image, f"{upstream_digest.replace(':', '-')}.index"),
        digest=digest(manifest),
        media_type=OCI_MANIFEST,
        artifact_type=UPSTREAM_INDEX,
        size=len(manifest) + layer.size + empty.size,
    )
    return Found(locked, manifest)


def _tagged(image: Reference, subject: str, reader: Reader) -> Iterator[Found]:
    for suffix, kind in TAGS.items():
        tag = f"{subject.replace(':', '-')}.{suffix}"
        if manifest := _read(reader, Reference(image.registry, image.repository, tag)):
            yield from _described(image, subject, manifest, kind, tag)


def _referring(image: Reference, subject: str, reader: Reader) -> Iterator[Found]:
    for referrer in reader.referrers(image.with_digest(subject)):
        manifest = _read(reader, Reference(image.registry, image.repository, None, referrer.descriptor.digest))
        if manifest and _subject(manifest) == subject and (kind := judged_as(manifest, referrer.artifact_type)):
            yield from _described(image, subject, manifest, kind, None)


def _inside(image: Reference, upstream: bytes, kept: set[str], reader: Reader) -> Iterator[Found]:
    """What BuildKit put into the index itself, beside the platforms that it is about."""
    if media_type(upstream, str(image)) not in INDEXES:
        return
    for entry in json.loads(upstream)["manifests"]:
        said = entry.get("annotations") if isinstance(entry.get("annotations"), dict) else {}
        about = said.get("vnd.docker.reference.digest")
        if said.get("vnd.docker.reference.type") != "attestation-manifest" or about not in kept:
            continue
        if manifest := _read(reader, Reference(image.registry, image.repository, None, str(entry["digest"]))):
            yield from _described(image, about, manifest, _predicates_kind(manifest), None)


def _read(reader: Reader, reference: Reference) -> bytes | None:
    """The manifest at ``reference``, unless it is malformed: anybody who may push can put anything there."""
    manifest = reader.manifest(reference)
    try:
        if manifest is None or media_type(manifest, str(reference)) in INDEXES:
            return None
        links(manifest, str(reference))
        data = json.loads(manifest)
        said = [
            data.get("annotations"),
            data.get("subject"),
            data["config"],
            *(d.get("annotations") for d in data["layers"]),
        ]
        return manifest if all(s is None or isinstance(s, dict) for s in said) else None
    except (NotUpstream, Damaged, AttributeError):
        return None


def judged_as(manifest: bytes, artifact_type: str) -> Kind | None:
    """What a referrer is; None for what is neither signature, attestation nor SBOM, and is left behind."""
    data = _json(manifest)
    type_ = str(data.get("artifactType") or (data.get("config") or {}).get("mediaType") or artifact_type)
    if type_.startswith(BUNDLE):
        predicate = (data.get("annotations") or {}).get("dev.sigstore.bundle.predicateType", SIGNS)
        return "signature" if predicate == SIGNS else "attestation"
    for mark, kind in (("cosign.artifact.sig", "signature"), ("cosign.artifact.att", "attestation")):
        if mark in type_:
            return kind  # type: ignore[return-value]  # the literals above
    if any(mark in type_ for mark in ("spdx", "cyclonedx", "syft", "sbom")):
        return "sbom"
    return "attestation" if "in-toto" in type_ else None


def _predicates_kind(manifest: bytes) -> Kind:
    types = [(layer.get("annotations") or {}).get("in-toto.io/predicate-type", "") for layer in _layers(manifest)]
    return "sbom" if any("spdx" in t or "cyclonedx" in t for t in types) else "attestation"


def _described(image: Reference, subject: str, manifest: bytes, kind: Kind, tag: str | None) -> Iterable[Found]:
    origin = f"{image.name}:{tag or digest(manifest)}"
    size = len(manifest) + sum(d.size for d in {d.digest: d for d in links(manifest, origin)}.values())
    if size > LARGEST:
        return []
    layers = _layers(manifest)
    locked = LockedEvidence(
        kind=kind,
        subject=subject,
        reference=_tag(image, tag or f"at-{digest(manifest).partition(':')[2][:12]}"),
        digest=digest(manifest),
        media_type=media_type(manifest, origin),
        artifact_type=str(_json(manifest).get("artifactType") or (layers[0].get("mediaType") if layers else "")),
        size=size,
    )
    return [Found(locked, manifest)]


def _tag(image: Reference, tag: str) -> str:
    return str(Reference(image.registry, image.repository, tag))


def _subject(manifest: bytes) -> str | None:
    return (_json(manifest).get("subject") or {}).get("digest")


def _layers(manifest: bytes) -> Sequence[dict[str, Any]]:
    return _json(manifest).get("layers") or []


def _json(manifest: bytes) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(manifest)
    return data
