"""A model as an OCI image that the kubelet mounts: one uncompressed layer for each file, below /models.

KServe's ``oci+native://`` mounts an image volume with subPath ``models``. Equal files give equal bytes: every file
is root's, mode 0644 (directories 0755), dated 1970-01-01, and nothing depends on the machine that made the layer.
"""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from .errors import Damaged
from .growing import Growing
from .layout import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, TITLE, Descriptor, encode
from .lock import LockedFile, LockedModel

ROOT = "models"
FILE_SHA256 = "vnd.sealift.file.sha256"
"""Annotation of a layer: hex sha256 of the file that it carries, by which a later bundle knows that it is there."""
_BLOCK = 512
_EPOCH = "1970-01-01T00:00:00Z"


@dataclass(frozen=True)
class Composed:
    """The documents of a model's image: an index and, by media type, what it points to besides the layers."""

    index: bytes
    documents: list[tuple[str, bytes]]


def compose(model: LockedModel, platforms: Sequence[str], layers: Sequence[Descriptor]) -> Composed:
    """The image of ``model``: one manifest for each platform, all over the same ``layers`` (in the files' order).

    Of ``layers`` digest and size count; their type is always the same.
    """
    labels = {
        "org.opencontainers.image.licenses": model.licence,
        "org.opencontainers.image.revision": model.revision,
        "org.opencontainers.image.source": f"https://{model.origin}",
        "org.opencontainers.image.title": model.name,
    }
    titled = [
        Descriptor(OCI_LAYER, d.digest, d.size, {TITLE: f.name, FILE_SHA256: f.sha256}).json()
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


class LayerTarget:
    """Takes the content of ``file`` and writes the layer that carries it into ``layer``; what is there is kept."""

    def __init__(self, file: LockedFile, layer: Growing) -> None:
        self._file = file
        self._layer = layer
        self._head = _head(file)
        self._begin()

    @property
    def position(self) -> int:
        """How many bytes of the content are there."""
        return min(self._layer.position - len(self._head), self._file.size)

    def write(self, piece: memoryview) -> None:
        """Append ``piece`` of the content."""
        self._hashed.update(piece)
        self._layer.write(piece)

    def restart(self) -> None:
        """Forget what is there."""
        self._layer.restart()
        self._begin()

    def digest(self) -> str:
        """``sha256:<64 hex>`` of the content."""
        return f"sha256:{self._hashed.hexdigest()}"

    def finish(self) -> Descriptor:
        """Write what follows the content; gives the layer."""
        left = layer_size(self._file) - self._layer.position
        self._layer.write(memoryview(_tail(self._file)[-left:] if left else b""))
        return Descriptor(OCI_LAYER, self._layer.digest(), self._layer.position)

    def _begin(self) -> None:
        self._hashed = hashlib.sha256()
        if not self._framed():
            if self._layer.position:
                self._layer.restart()
            self._layer.write(memoryview(self._head))
        for piece in self._layer.read(len(self._head), len(self._head) + self.position):
            self._hashed.update(piece)

    def _framed(self) -> bool:
        """Whether what stands around the content is right, as far as it is there: its digest does not say that."""
        start, end, position = len(self._head), len(self._head) + self._file.size, self._layer.position
        head = b"".join(map(bytes, self._layer.read(0, min(start, position))))
        tail = b"".join(map(bytes, self._layer.read(end, max(end, position))))
        return head == self._head and _tail(self._file).startswith(tail)


def check_layer(pieces: Iterable[memoryview], file: LockedFile, origin: str) -> str:
    """The digest of the layer in ``pieces``, after checking that it holds ``file`` exactly; raises Damaged."""
    whole, inner = hashlib.sha256(), hashlib.sha256()
    head, tail = _head(file), _tail(file)
    ends, position = bytearray(), 0
    first, last = len(head), len(head) + file.size
    for piece in pieces:
        whole.update(piece)
        start, end = max(first - position, 0), max(min(last - position, len(piece)), 0)
        if start < end:
            inner.update(piece[start:end])
        ends += bytes(piece[:start]) + bytes(piece[max(end, start) :])
        position += len(piece)
        if len(ends) > len(head) + len(tail):
            break
    if bytes(ends) != head + tail or inner.hexdigest() != file.sha256:
        raise Damaged(origin, f"it does not hold {file.name} (sha256 {file.sha256}) as locked", "Carry it again.")
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
