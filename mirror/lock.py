"""sealift.lock: the catalog resolved. Machine-written, committed, diffable; the unit of review."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta

from .evidence.policy import SignatureRule
from .record import FileRecord, Record

Digest = Annotated[str, Meta(pattern=r"^sha256:[0-9a-f]{64}\Z")]


class LockedEvidence(Record, frozen=True, kw_only=True):
    """What upstream says about an image in a manifest of its own: a signature, an attestation or an SBOM."""

    kind: Literal["signature", "attestation", "sbom", "index"]
    """``index`` is upstream's own index, wrapped, where the one that is carried was cut: signatures are about it."""
    subject: Digest
    """Of the image, index or platform's manifest that it is about."""
    reference: str
    """``registry/repository:<tag>`` as upstream names it: cosign's, or ``at-<12 hex>`` of a referrer without one."""
    digest: Digest
    """Of its manifest."""
    media_type: str
    artifact_type: str
    """What it says it is: the artifact type, or the media type of its first layer."""
    size: int
    """Bytes of its manifest and blobs."""


class LockedImage(Record, frozen=True, kw_only=True):
    """One image by digest. The bundle carries exactly ``digest``."""

    reference: str
    """``registry/repository[:tag]`` as upstream names it, without digest. Unique in the lock."""
    digest: Digest
    """Of the index, cut to the locked platforms, or of the manifest where upstream has no index."""
    upstream_digest: Digest
    """What the tag named upstream when it was resolved; differs from ``digest`` where an index was cut."""
    media_type: str
    platforms: list[str]
    """``os/architecture[/variant]`` of every image under the digest; empty where upstream has a manifest without an
    index, which does not say its platform."""
    size: int
    """Bytes of all blobs and manifests under the digest."""
    licence: str
    found: list[str]
    """Where discovery met it: ``<part>: <Kind>/<name> <path>``. Sorted."""
    evidence: list[LockedEvidence] = []
    """Sorted by reference."""
    signature: str | None = None
    """What the rules made of it, in words; None where there are no rules."""


class LockedFile(Record, frozen=True, kw_only=True):
    """A file that is carried as it is."""

    name: str
    sha256: str
    size: int
    """Bytes."""


class LockedChart(Record, frozen=True, kw_only=True, tag_field="kind", tag="chart"):
    """A chart: an artifact in a registry."""

    kind: ClassVar = "chart"
    reference: str
    """``registry/repository:version``."""
    digest: Digest
    """Of the artifact's manifest."""
    release: str
    values: dict[str, Any]


class LockedManifest(Record, frozen=True, kw_only=True, tag_field="kind", tag="manifest"):
    """Release YAML: files, in the order of application."""

    kind: ClassVar = "manifest"
    urls: list[str]
    files: list[LockedFile]
    """One for each URL; ``name`` is the URL's last path segment."""


class LockedImages(Record, frozen=True, kw_only=True, tag_field="kind", tag="images"):
    """A part that is images only."""

    kind: ClassVar = "images"
    images: list[str]


class LockedPart(Record, frozen=True, kw_only=True):
    """One part of the platform, resolved."""

    name: str
    namespace: str | None
    licence: str
    content: LockedChart | LockedManifest | LockedImages
    images: list[str]
    """References (keys of Lock.images) that its manifests name. Sorted."""


class LockedModel(Record, frozen=True, kw_only=True):
    """A model at a commit, file by file."""

    name: str
    source: Literal["hub", "directory", "oci", "modelcar"] = "hub"
    origin: str
    """``<host>/<repo>`` of a hub or a registry, or ``directory/<name>``: becomes the image's upstream name."""
    revision: str
    """Commit of 40 hex digits, or 64 hex digits: of the file list of a directory, of a manifest in a registry."""
    licence: str
    files: list[LockedFile]
    """Sorted by name."""
    image: str | None = None
    """The key of Lock.images that a modelcar is; None where the files are packed into an image of their own."""

    @property
    def reference(self) -> str:
        """The upstream-style image reference under which the weights are carried, tagged by revision."""
        if self.image:
            return self.image
        return f"{self.origin.lower()}:{self.revision}"


class LockedRuntime(Record, frozen=True, kw_only=True):
    """A model server that a stack can name."""

    name: str
    engine: str
    accelerator: str
    image: str
    """A key of Lock.images."""


class LockedTool(Record, frozen=True, kw_only=True):
    """A tool of an operator's machine, for one platform."""

    name: str
    version: str
    platform: str
    licence: str
    url: str
    file: LockedFile
    """``name`` is the URL's last path segment."""
    programs: dict[str, str | None] = {}
    """Each program -> its member in the archive; None where the file is the program."""
    plugin: str | None = None
    """The directory below Pulumi's plugins that the archive is unpacked to: ``<kind>-<name>-v<version>``."""


class LockedWheel(Record, frozen=True, kw_only=True):
    """A Python package of an operator's machine."""

    name: str
    version: str
    licence: str
    url: str | None
    """None for the wheel that was given as a file."""
    file: LockedFile
    targets: list[str]
    """``<platform> <Python's version>`` of every machine that it is for. Sorted."""


class LockedBootstrap(Record, frozen=True, kw_only=True):
    """What sets up an operator's machine. Lists are sorted: tools by name and platform, wheels by file."""

    project: str
    """The wheel that brings the command ``sealift``."""
    pythons: list[str]
    glibc: str
    """The oldest C library that the wheels run on."""
    tools: list[LockedTool]
    wheels: list[LockedWheel]


class Excluded(Record, frozen=True, kw_only=True):
    """A string that parses as an image and is not shipped."""

    value: str
    reason: str


class LockedException(Record, frozen=True, kw_only=True):
    """A licence outside the allow list under which one component is carried, until a day."""

    component: str
    licence: str
    reason: str
    approved_by: str
    expires: date


class Lock(FileRecord, frozen=True, kw_only=True):
    """The whole lock. Lists are sorted by name, parts stand in the catalog's order."""

    kubernetes: str
    platforms: list[str]
    parts: list[LockedPart]
    images: list[LockedImage]
    models: list[LockedModel]
    runtimes: list[LockedRuntime]
    exclusions: list[Excluded]
    licence_exceptions: list[LockedException] = []
    """Those that something in the lock needs. Sorted by component."""
    signature_rules: list[SignatureRule] = []
    """The catalog's, so that they are judged by again inside."""
    trusted_root: dict[str, Any] | None = None
    """Sigstore's trusted_root.json, where a rule needs it."""
    bootstrap: LockedBootstrap | None = None
    """None where the bundle brings nothing for an operator's machine."""
