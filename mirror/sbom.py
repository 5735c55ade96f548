"""The bill of materials of a whole bundle, CycloneDX 1.6: a pure function of the lock, so equal locks give equal bytes.

Images, charts, release files, models, tools and wheels with digests and licences. What is inside an image is for
upstream's own SBOM to say; where upstream has one it is carried, and linked here. https://cyclonedx.org/docs/1.6/json/
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.bom_ref import BomRef
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.dependency import Dependency
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from .lock import (
    Lock,
    LockedChart,
    LockedEvidence,
    LockedFile,
    LockedImage,
    LockedManifest,
    LockedModel,
    LockedPart,
    LockedTool,
    LockedWheel,
)
from .reference import Reference

SERIAL = "https://sealift.invalid/lock/{}"
"""What the serial number is derived from; CycloneDX wants one, and a random one would differ each time."""
_LINKS = {
    "sbom": ExternalReferenceType.BOM,
    "attestation": ExternalReferenceType.ATTESTATION,
    "signature": ExternalReferenceType.DIGITAL_SIGNATURE,
    "index": ExternalReferenceType.OTHER,
}


def text(lock: Lock, lock_sha256: str) -> str:
    """The bill of materials of ``lock``, whose file has the hex digest ``lock_sha256``."""
    parts = [_part(p) for p in lock.parts]
    images = {i.reference: _image(i) for i in lock.images}
    models = [_model(m) for m in lock.models]
    kit = _bootstrap(lock)
    of_parts = {i for p in lock.parts for i in p.images}
    unnamed = [c for name, c in images.items() if name not in of_parts]  # Runtimes, and what a node itself pulls.
    whole = Component(name="bundle", version=lock_sha256, type=ComponentType.PLATFORM, bom_ref="bundle")
    bom = Bom(
        serial_number=uuid5(NAMESPACE_URL, SERIAL.format(lock_sha256)),
        components=[*parts, *images.values(), *models, *kit],
        dependencies=[
            _depends("bundle", [c.bom_ref.value for c in (*parts, *models, *unnamed, *kit) if c.bom_ref.value]),
            *(_depends(f"part:{p.name}", [f"image:{i}" for i in p.images]) for p in lock.parts),
            *(_depends(f"image:{i}", []) for i in images),
            *(_depends(f"model:{m.name}", []) for m in lock.models),
            *(_depends(str(c.bom_ref.value), []) for c in kit),
        ],
    )
    bom.metadata.component = whole
    bom.metadata.timestamp = None  # type: ignore[assignment]  # the schema has it optional; the lock has no time
    bom.metadata.properties = [
        Property(name="sealift:kubernetes", value=lock.kubernetes),
        Property(name="sealift:platforms", value=" ".join(lock.platforms)),
        *(Property(name="sealift:licence-exception", value=f"{e.component}: {e.licence} until {e.expires}: {e.reason}")
          for e in lock.licence_exceptions),
    ]  # fmt: skip
    written: str = JsonV1Dot6(bom).output_as_string(indent=1)
    return written + "\n"


def _part(part: LockedPart) -> Component:
    content = part.content
    made = Component(
        name=part.name,
        type=ComponentType.APPLICATION,
        bom_ref=f"part:{part.name}",
        licenses=[LicenseExpression(part.licence)],
    )
    if isinstance(content, LockedChart):
        reference = Reference.parse(content.reference)
        made.version = reference.tag
        made.purl = _oci(reference, content.digest)
        made.hashes = [_sha256(content.digest)]
        made.external_references = [_link(ExternalReferenceType.DISTRIBUTION, _manifest_url(reference, content.digest))]
    elif isinstance(content, LockedManifest):
        made.components = [
            _file(f, f"part:{part.name}/{f.name}", url) for f, url in zip(content.files, content.urls, strict=True)
        ]
    return made


def _image(image: LockedImage) -> Component:
    reference = Reference.parse(image.reference)
    return Component(
        name=reference.name,
        version=reference.tag,
        type=ComponentType.CONTAINER,
        bom_ref=f"image:{image.reference}",
        purl=_oci(reference, image.digest),
        hashes=[_sha256(image.digest)],
        licenses=[LicenseExpression(image.licence)],
        external_references=[
            _link(ExternalReferenceType.DISTRIBUTION, _manifest_url(reference, image.upstream_digest)),
            *(_evidence(e) for e in image.evidence),
        ],
        properties=[
            Property(name="sealift:bytes", value=str(image.size)),
            *(Property(name="sealift:platform", value=p) for p in image.platforms),
            *(Property(name="sealift:found", value=f) for f in image.found),
        ],
    )


def _model(model: LockedModel) -> Component:
    host, _, repository = model.origin.partition("/")
    purl, links = None, []
    if host == "huggingface.co":
        namespace, _, name = repository.rpartition("/")
        purl = PackageURL("huggingface", namespace or None, name, model.revision)
    elif model.source in ("oci", "modelcar"):
        purl = _oci(Reference.parse(model.origin), f"sha256:{model.revision}")
    if model.source == "hub":
        links = [_link(ExternalReferenceType.DISTRIBUTION, f"https://{model.origin}")]
    return Component(
        name=model.name,
        version=model.revision,
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref=f"model:{model.name}",
        purl=purl,
        licenses=[LicenseExpression(model.licence)],
        external_references=links,
        components=[_file(f, f"model:{model.name}/{f.name}") for f in model.files],
    )


def _bootstrap(lock: Lock) -> list[Component]:
    """Tools and wheels: https://github.com/package-url/purl-spec, types generic and pypi."""
    if lock.bootstrap is None:
        return []
    made = []
    for t in lock.bootstrap.tools:
        purl = PackageURL("generic", None, t.name, t.version, {"download_url": t.url})
        made.append(_carried(ComponentType.APPLICATION, f"tool:{t.name}/{t.platform}", t, purl))
    for w in lock.bootstrap.wheels:
        purl = PackageURL("pypi", None, w.name, w.version, {"file_name": w.file.name})
        made.append(_carried(ComponentType.LIBRARY, f"wheel:{w.file.name}", w, purl))
    return made


def _carried(kind: ComponentType, ref: str, what: LockedTool | LockedWheel, purl: PackageURL) -> Component:
    return Component(
        name=what.name,
        version=what.version,
        type=kind,
        bom_ref=ref,
        purl=purl,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=what.file.sha256)],
        licenses=[LicenseExpression(what.licence)],
        external_references=[_link(ExternalReferenceType.DISTRIBUTION, what.url)] if what.url else [],
        properties=[Property(name="sealift:bytes", value=str(what.file.size))],
    )


def _file(file: LockedFile, ref: str, url: str | None = None) -> Component:
    return Component(
        name=file.name,
        type=ComponentType.FILE,
        bom_ref=ref,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=file.sha256)],
        external_references=[_link(ExternalReferenceType.DISTRIBUTION, url)] if url else [],
        properties=[Property(name="sealift:bytes", value=str(file.size))],
    )


def _evidence(e: LockedEvidence) -> ExternalReference:
    return ExternalReference(
        type=_LINKS[e.kind],
        url=XsUri(_manifest_url(Reference.parse(e.reference), e.digest)),
        comment=f"{e.artifact_type} about {e.subject}",
        hashes=[_sha256(e.digest)],
    )


def _depends(ref: str, on: Iterable[str]) -> Dependency:
    return Dependency(ref=BomRef(ref), dependencies=[Dependency(ref=BomRef(o)) for o in on])


def _link(kind: ExternalReferenceType, url: str) -> ExternalReference:
    return ExternalReference(type=kind, url=XsUri(url))


def _manifest_url(reference: Reference, digest: str) -> str:
    return f"https://{reference.registry}/v2/{reference.repository}/manifests/{digest}"


def _oci(reference: Reference, digest: str) -> PackageURL:
    """https://github.com/package-url/purl-spec: type oci, the digest as version, the name's last segment as name."""
    qualifiers = {"repository_url": reference.name, **({"tag": reference.tag} if reference.tag else {})}
    return PackageURL("oci", None, reference.repository.rpartition("/")[2], digest, qualifiers)


def _sha256(digest: str) -> HashType:
    return HashType(alg=HashAlgorithm.SHA_256, content=digest.partition(":")[2])
