"""A model as an OCI image that the kubelet mounts: one uncompressed layer for each file, below /models.

KServe's ``oci+native://`` mounts an image volume with subPath ``models``. Equal files give equal bytes: every file
is root's, mode 0644 (directories 0755), dated 1970-01-01, and nothing depends on the machine that made the layer.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path, PurePosixPath

from .errors import Damaged
from .layout import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, TITLE, Descriptor, Layout, encode
from .lock import LockedFile, LockedModel

ROOT = "models"
_BLOCK = 512
_CHUNK = 1 << 20
_EPOCH = "1970-01-01T00:00:00Z"


@dataclass(frozen=True)
class Composed:
    """The documents of a model's image: an index and, by media type, what it points to besides the layers."""

    index: bytes
    documents: list[tuple[str, bytes]]


def compose(model: LockedModel, platforms: Sequence[str], layers: Sequence[Descriptor]) -> Composed:
    """The image of ``model``: one manifest for each platform, all over the same ``layers`` (in the files' order)."""
    labels = {
        "org.opencontainers.image.licenses": model.licence,
        "org.opencontainers.image.revision": model.revision,
        "org.opencontainers.image.source": f"https://{model.origin}",
        "org.opencontainers.image.title": model.name,
    }
    titled = [
        Descriptor(d.media_type, d.digest, d.size, {TITLE: f.name}).json()
        for d, f in zip(layers, model.files, strict=True)
    ]
    documents, entries = [], []
    for name in platforms:
        system, architecture, variant = [*name.split("/"), None][:3]
        platform = {"architecture": architecture, "os": system, **({"variant": variant} if variant else {})}
        rootfs = {"type": "layers", "diff_ids": [d.digest for d in layers]}
        config = encode({"created": _EPOCH, **platform, "config": {"Labels": labels}, "rootfs": rootfs})
        manifest = encode(
            {
                "schemaVersion": 2,
                "mediaType": OCI_MANIFEST,
                "config": Descriptor.of(OCI_CONFIG, config).json(),
                "layers": titled,
            }
        )
        documents += [(OCI_CONFIG, config), (OCI_MANIFEST, manifest)]
        entries.append({**Descriptor.of(OCI_MANIFEST, manifest).json(), "platform": platform})
    return Composed(encode({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}), documents)


def layer_size(file: LockedFile) -> int:
    """Bytes of the layer that carries ``file``."""
    return len(_head(file)) + file.size + len(_tail(file))


def write_layer(layout: Layout, file: LockedFile, content: Path) -> Descriptor:
    """Make the layer of ``file`` from ``content`` and store it, reading in pieces of 1 MiB."""
    hashed = hashlib.sha256()
    handle, temporary = tempfile.mkstemp(dir=layout.path)
    with os.fdopen(handle, "wb") as out, content.open("rb") as source:
        for piece in chain([_head(file)], iter(lambda: source.read(_CHUNK), b""), [_tail(file)]):
            hashed.update(piece)
            out.write(piece)
        written = out.tell()
    Path(temporary).chmod(0o644)
    made = Descriptor(OCI_LAYER, f"sha256:{hashed.hexdigest()}", written)
    layout.blob(made.digest).parent.mkdir(parents=True, exist_ok=True)
    Path(temporary).replace(layout.blob(made.digest))
    return made


def check_layer(path: Path, file: LockedFile) -> str:
    """The layer's digest, after checking that it holds ``file`` exactly; raises Damaged naming ``path``."""
    head, left = _head(file), file.size
    whole, inner = hashlib.sha256(), hashlib.sha256()
    with path.open("rb") as f:
        start = f.read(len(head))
        whole.update(start)
        while left and (piece := f.read(min(_CHUNK, left))):
            whole.update(piece)
            inner.update(piece)
            left -= len(piece)
        end = f.read(len(_tail(file)) + 1)
        whole.update(end)
    if start != head or left or inner.hexdigest() != file.sha256 or end != _tail(file):
        raise Damaged(
            str(path), f"it does not hold {file.name} (sha256 {file.sha256}) as locked", "Make or carry it again."
        )
    return f"sha256:{whole.hexdigest()}"


def _head(file: LockedFile) -> bytes:
    path = PurePosixPath(ROOT) / file.name
    parents = [str(p) for p in reversed(path.parents) if str(p) != "."]
    return b"".join(
        [*(_entry(p, tarfile.DIRTYPE, 0o755, 0) for p in parents), _entry(str(path), b"0", 0o644, file.size)]
    )


def _entry(name: str, kind: bytes, mode: int, size: int) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.size = kind, mode, size
    entry.uname = entry.gname = "root"
    return entry.tobuf(tarfile.PAX_FORMAT)


def _tail(file: LockedFile) -> bytes:
    """Padding to a whole block, and the two empty blocks that end a tar file."""
    return b"\0" * (-file.size % _BLOCK + 2 * _BLOCK)
