"""Models in registries as artifacts: one layer for each file, so the manifest alone says every name, sum and size.

CNCF ModelPack: https://github.com/modelpack/model-spec/blob/main/docs/spec.md; other tools name a layer's file by
``org.opencontainers.image.title``.
"""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Any

from .errors import BadInput
from .layout import INDEXES, TITLE, links, media_type
from .lock import LockedFile

NAMES = ("org.cncf.model.filepath", "org.cnai.model.filepath", TITLE)
"""Annotations that say which file a layer is; the first that is there counts."""


def files(manifest: bytes, origin: str) -> list[LockedFile]:
    """The files of the artifact with ``manifest``, sorted by name.

    Raises BadInput for an index, for a layer without a name, for one whose name leads outside or stands twice, and for
    an archive: what is in it is not known by its digest.
    """
    if media_type(manifest, origin) in INDEXES:
        raise BadInput(origin, "it is an index, no artifact of a model", "Name the artifact, or use kind: modelcar.")
    found: dict[str, LockedFile] = {}
    data: dict[str, Any] = json.loads(manifest)
    for d, layer in zip(links(manifest, origin)[1:], data["layers"], strict=True):
        said = layer.get("annotations") or {}
        name = next((said[n] for n in NAMES if n in said), None)
        if name is None:
            kind = "an image's layer; is it a modelcar?" if ".image." in d.media_type else "no model file"
            raise BadInput(origin, f"layer {d.digest[:19]} says no file name: {kind}", "Use kind: modelcar for images.")
        if "tar" in d.media_type.replace("+", ".").split("."):
            raise BadInput(origin, f"{name} is an archive ({d.media_type})", "Pack the model raw: modctl build --raw.")
        if not inside(name) or name in found:
            raise BadInput(origin, f"{name!r} stands twice or leads outside", "Pack the model from its own directory.")
        found[name] = LockedFile(name=name, sha256=d.digest.partition(":")[2], size=d.size)
    return [found[n] for n in sorted(found)]


def inside(name: str) -> bool:
    """Whether ``name`` is a relative path that stays below where it is put."""
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts and "\\" not in name
