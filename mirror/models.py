"""Models as the lock names them: from a hub, a directory, or a registry, every carried file with its sha256."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from . import hub, model_artifacts, modelcars, platforms
from .catalog import DirectorySource, Model, ModelcarSource, OciSource
from .errors import BadInput
from .layout import INDEXES, digest, links
from .lock import LockedFile, LockedImage, LockedModel
from .model_files import carried, require_safe, sha256
from .reference import Reference
from .registry import Source
from .source_map import SourceMap
from .wanted import key


def lock_model(model: Model, source_map: SourceMap, source: Source, images: Sequence[LockedImage]) -> LockedModel:
    """``model`` at a commit or a digest, every carried file with its sha256 and size.

    Files in Git LFS are locked by what the hub says of them, artifacts by what their manifest says; small files of a
    hub are fetched and hashed, and a modelcar, which is among the locked ``images``, is read whole.
    Raises NotUpstream, RegistryRefused, BadInput.
    """
    if isinstance(model.source, DirectorySource):
        return _lock_directory(model, model.source)
    if isinstance(model.source, OciSource):
        return _lock_artifact(model, model.source, source)
    if isinstance(model.source, ModelcarSource):
        return _lock_modelcar(model, model.source, source, images)
    return hub.lock(model, model.source, source_map)


def _lock_directory(model: Model, source: DirectorySource) -> LockedModel:
    if not source.path.is_dir():
        raise BadInput(str(source.path), "no such directory", f"Correct the path of model {model.name}.")
    names = [p.relative_to(source.path).as_posix() for p in source.path.rglob("*") if p.is_file()]
    files = [
        LockedFile(name=n, sha256=sha256(source.path / n), size=(source.path / n).stat().st_size)
        for n in carried(names, model.allow_files, str(source.path))
    ]
    listing = "".join(f"{f.sha256}  {f.name}\n" for f in files)
    revision = hashlib.sha256(listing.encode()).hexdigest()
    origin = f"directory/{model.name}"
    return LockedModel(
        name=model.name, source="directory", origin=origin, revision=revision, licence=model.licence, files=files
    )


def _lock_artifact(model: Model, oci: OciSource, source: Source) -> LockedModel:
    reference = Reference.parse(oci.reference)
    manifest = source.raw_manifest(reference)
    by_name = {f.name: f for f in model_artifacts.files(manifest, str(reference))}
    chosen = carried(by_name, model.allow_files, str(reference))
    return LockedModel(
        name=model.name,
        source="oci",
        origin=reference.name,
        revision=digest(manifest).partition(":")[2],
        licence=model.licence,
        files=[by_name[n] for n in chosen],
    )


def _lock_modelcar(
    model: Model, modelcar: ModelcarSource, source: Source, images: Sequence[LockedImage]
) -> LockedModel:
    named = key(Reference.parse(modelcar.reference))
    image = next(i for i in images if i.reference == named)
    reference = Reference.parse(named).with_digest(image.upstream_digest)
    top = source.raw_manifest(reference)
    leaves = [top]
    if image.media_type in INDEXES:
        below = links(platforms.cut(top, image.platforms) or top, named)
        leaves = [source.raw_manifest(reference.with_digest(d.digest)) for d in below]
    found = [modelcars.look(reference, leaf, source) for leaf in leaves]
    if any(f != found[0] for f in found):
        raise BadInput(named, "its platforms hold different models", "Name an image that holds one.")
    require_safe([f.name for f in found[0]], model.allow_files, named)
    hexdigits = image.digest.partition(":")[2]
    return LockedModel(
        name=model.name, source="modelcar", origin=Reference.parse(named).name, revision=hexdigits,
        licence=model.licence, files=found[0], image=named,
    )  # fmt: skip
