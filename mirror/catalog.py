"""The catalog: what the distribution contains, by upstream name and version. Hand-written and reviewed."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from .bootstrap.declared import Bootstrap
from .document import FileModel, Name, Sentence, Strict
from .errors import BadInput
from .evidence.policy import SignatureRule

TRUSTED_ROOT = "trusted_root.json"


class ChartSource(Strict):
    """A Helm chart in an OCI registry: ``oci`` is the reference without scheme and version."""

    kind: Literal["chart"] = "chart"
    oci: str
    version: str
    release: Name
    values: dict[str, Any] = {}
    """The distribution's own, hardened values. A stack's values are laid over them."""


class ManifestSource(Strict):
    """Release YAML at one or more URLs, applied in this order."""

    kind: Literal["manifest"] = "manifest"
    urls: list[str] = Field(min_length=1)


class ImagesSource(Strict):
    """Images that no manifest names: a runtime's, a node's."""

    kind: Literal["images"] = "images"
    images: list[str] = Field(min_length=1)


class Part(Strict):
    """One part of the platform."""

    name: Name
    source: Annotated[ChartSource | ManifestSource | ImagesSource, Field(discriminator="kind")]
    namespace: Name | None = None
    """Where namespaced objects that name no namespace go."""
    licence: str
    """SPDX expression of the part and of the images that it names."""
    reason: Sentence
    """Why the distribution contains it."""


class Exclusion(Strict):
    """A string in a manifest that parses as an image and is not shipped."""

    value: str
    """The whole string as it stands in the manifest; the parts of a split name joined as ``[registry/]name:tag``."""
    reason: Sentence


class Runtime(Strict):
    """A model server that a stack can name."""

    name: Name
    image: str
    engine: Literal["vllm"]
    accelerator: Literal["cpu", "nvidia"]
    licence: str
    reason: Sentence


class HubSource(Strict):
    """A revision on a hub that speaks the Hugging Face HTTP API."""

    kind: Literal["hub"] = "hub"
    host: str = "huggingface.co"
    repo: str
    revision: str
    """A commit (40 hex digits), or a branch or tag that the lock resolves to one."""


class DirectorySource(Strict):
    """A local directory of weights."""

    kind: Literal["directory"] = "directory"
    path: Path


class OciSource(Strict):
    """An artifact in a registry with one layer for each file: a CNCF ModelPack, or files pushed by oras."""

    kind: Literal["oci"] = "oci"
    reference: str


class ModelcarSource(Strict):
    """An image that holds a model below /models; it is carried as it is, and looked into at the lock."""

    kind: Literal["modelcar"] = "modelcar"
    reference: str


class Model(Strict):
    """Weights, carried as an image that the kubelet mounts."""

    name: Name
    source: Annotated[HubSource | DirectorySource | OciSource | ModelcarSource, Field(discriminator="kind")]
    licence: str
    reason: Sentence
    allow_files: list[str] = []
    """Names of files that are carried although they are not on the safe list (pickle-bearing weights)."""


class LicenceException(Strict):
    """A licence outside the allow list that one component may be carried under, for a while."""

    component: str
    """``part NAME``, ``runtime NAME``, ``model NAME``, ``tool NAME`` or ``wheel NAME``."""
    licence: str
    """The SPDX expression that the component has; an exception for another licence than that covers nothing."""
    reason: Sentence
    approved_by: str = Field(min_length=2)
    expires: date
    """The last day on which it holds."""


class Catalog(FileModel):
    """The whole catalog: the union of the files of ``catalog/``. Sections that a file lacks are empty."""

    platforms: list[str] = []
    """Platforms to carry, as ``os/architecture``; an image's index is cut to these."""
    kubernetes: str | None = None
    """The Kubernetes version that charts are rendered for."""
    parts: list[Part] = []
    exclusions: list[Exclusion] = []
    runtimes: list[Runtime] = []
    models: list[Model] = []
    licences: list[str] = []
    """SPDX identifiers that may be redistributed; any other stops the lock."""
    licence_exceptions: list[LicenceException] = []
    signatures: list[SignatureRule] = []
    """Whose signatures images must have; the first that covers an image decides, and one that none covers is refused.

    Without any, signatures are carried and not judged.
    """
    trusted_root: dict[str, Any] | None = None
    """Sigstore's trusted_root.json, for keyless signers: the file of that name in the catalog's directory."""
    bootstrap: Bootstrap | None = None
    """What sets up an operator's machine; without it none of that is carried."""

    @classmethod
    def load(cls, directory: Path) -> Catalog:
        """Read every ``*.yaml`` of ``directory`` and join them; a name that stands twice is refused."""
        files = sorted(directory.glob("*.yaml"))
        if not files:
            raise BadInput(str(directory), "no *.yaml file in it", "Give a catalog directory, such as catalog/.")
        parts = [cls.read(f) for f in files]
        joined: dict[str, Any] = {"version": 1}
        for field in (
            "platforms",
            "parts",
            "exclusions",
            "runtimes",
            "models",
            "licences",
            "licence_exceptions",
            "signatures",
        ):
            joined[field] = [x for p in parts for x in getattr(p, field)]
        joined["kubernetes"] = next((p.kubernetes for p in parts if p.kubernetes), None)
        joined["trusted_root"] = _json(directory / TRUSTED_ROOT)
        joined["bootstrap"] = _bootstrap([p.bootstrap for p in parts if p.bootstrap], directory)
        catalog = cls.model_construct(**joined)
        catalog.check(str(directory))
        return catalog

    def check(self, origin: str) -> None:
        """Refuse a catalog that names something twice or says nothing of platforms, Kubernetes or licences."""
        for field in ("parts", "runtimes", "models"):
            names = [x.name for x in getattr(self, field)]
            for name in {n for n in names if names.count(n) > 1}:
                raise BadInput(origin, f"{field}: {name!r} stands {names.count(name)} times", "Name each once.")
        for field in ("platforms", "kubernetes", "licences"):
            if not getattr(self, field):
                raise BadInput(origin, f"no file says {field}", f"Add {field}: to one of the files.")
        if any(r.keyless for r in self.signatures) and self.trusted_root is None:
            raise BadInput(origin, f"keyless signers need {TRUSTED_ROOT}, which it lacks", "Put sigstore's own there.")


def _bootstrap(said: list[Bootstrap], directory: Path) -> Bootstrap | None:
    if len(said) > 1:
        raise BadInput(str(directory), f"bootstrap: stands in {len(said)} files", "Say it once.")
    return said[0].model_copy(update={"requirements": directory / said[0].requirements}) if said else None


def _json(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    try:
        data: dict[str, Any] = json.loads(path.read_bytes())
    except ValueError as e:
        raise BadInput(str(path), f"no JSON: {e}", "Take sigstore's own file as it is.") from e
    return data
