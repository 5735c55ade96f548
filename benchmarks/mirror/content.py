"""60 images over six bases and a model in four shards, in a registry's storage, the same every time."""

from __future__ import annotations

import hashlib
import json
import random
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mirror.document import FileModel, Strict
from testbed.upstream.store import CONFIG, MANIFEST, Blob, Store

MB = 10**6
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
TAG = "v1"
BASES = 6
IMAGES = 60
SHARDS = 4
BASE_LAYERS = (48 * MB, 32 * MB)
OWN_LAYERS = (27 * MB, 10 * MB)
"""Of each image beside its base; the last is the one that changes."""
SHARD = 500 * MB
_PIECE = 1 << 20


class Published(Strict):
    """An image as it stands upstream."""

    repository: str
    digest: str
    """Of its manifest."""
    size: int
    """Bytes of its manifest and blobs."""


class Content(FileModel):
    """All that is carried, before and after one layer of the first image has changed."""

    seed: str
    scale: float
    images: list[Published]
    """The first is the one that changes, the last the model."""
    changed: Published
    unique: int
    """Bytes of all blobs and manifests, each once, before the change."""
    changed_bytes: int
    """Bytes that are new after it: a layer, its configuration and its manifest."""
    blobs: list[tuple[str, str, int]]
    """Repository, digest and size of each blob, once, before the change; the largest first."""

    def after(self, *, change: bool) -> list[Published]:
        """The images before or after the change."""
        return [self.changed, *self.images[1:]] if change else list(self.images)


def planned(scale: float) -> int:
    """Bytes of the content at ``scale``, within a thousandth."""
    whole = BASES * sum(BASE_LAYERS) + IMAGES * sum(OWN_LAYERS) + SHARDS * SHARD
    return round(whole * scale)


def make(root: Path, scale: float, seed: str) -> Content:
    """Write the content into the storage of a registry at ``root``, or read what an earlier run wrote there."""
    record = root / "content.json"
    if record.is_file() and (found := Content.read(record)) and (found.seed, found.scale) == (seed, scale):
        return found
    made = _Making(Store(root), scale, seed).all()
    made.write(record)
    return made


def publish(root: Path, content: Content, *, change: bool) -> None:
    """Let the first image's tag name it as it is before or after the ``change``."""
    now = content.after(change=change)[0]
    blob = Blob(now.digest, 0, MANIFEST)
    Store(root).publish(now.repository, TAG, blob, [], [])


@dataclass(frozen=True)
class _Layer:
    blob: Blob
    diff_id: str
    """Digest of what it is once it is unpacked."""


@dataclass(frozen=True)
class _Making:
    store: Store
    scale: float
    seed: str

    def all(self) -> Content:
        bases = [[self._layer(f"base-{b}-{n}", s) for n, s in enumerate(BASE_LAYERS)] for b in range(BASES)]
        known: dict[str, tuple[str, str, int]] = {}
        images = []
        for i in range(IMAGES):
            own = [self._layer(f"image-{i}-{n}", s) for n, s in enumerate(OWN_LAYERS)]
            image, blobs = self._image(f"team-{i % BASES}/app-{i}", [*bases[i % BASES], *own])
            images.append(image)
            known |= {b.digest: (image.repository, b.digest, b.size) for b in blobs if b.digest not in known}
            if i == 0:
                changing = [*bases[0], *own[:-1]]
        shards = [self._layer(f"shard-{n}", SHARD) for n in range(SHARDS)]
        model, blobs = self._image("models/large", shards)
        known |= {b.digest: (model.repository, b.digest, b.size) for b in blobs}
        new = self._layer("image-0-changed", OWN_LAYERS[-1])
        changed, fresh = self._image(images[0].repository, [*changing, new])
        listed = sorted(known.values(), key=lambda b: (-b[2], b[1]))
        manifests = [len(self.store.read(i.digest)) for i in (*images, model)]
        return Content(
            seed=self.seed,
            scale=self.scale,
            images=[*images, model],
            changed=changed,
            unique=sum(b[2] for b in listed) + sum(manifests),
            changed_bytes=sum(b.size for b in fresh if b.digest not in known) + len(self.store.read(changed.digest)),
            blobs=listed,
        )

    def _image(self, repository: str, layers: Sequence[_Layer]) -> tuple[Published, list[Blob]]:
        config = {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Labels": {"repository": repository}},
            "rootfs": {"type": "layers", "diff_ids": [x.diff_id for x in layers]},
        }
        blobs = [self.store.add(json.dumps(config).encode(), CONFIG), *(x.blob for x in layers)]
        document = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": blobs[0].descriptor(),
            "layers": [b.descriptor() for b in blobs[1:]],
        }
        manifest = self.store.add(json.dumps(document).encode(), MANIFEST)
        self.store.publish(repository, TAG, manifest, blobs, [])
        size = manifest.size + sum(b.size for b in blobs)
        return Published(repository=repository, digest=manifest.digest, size=size), blobs

    def _layer(self, name: str, size: int) -> _Layer:
        """A layer of one file, gzip without compression: what is random does not get smaller."""
        squeezed = zlib.compressobj(0, wbits=31)
        packed, plain = hashlib.sha256(), hashlib.sha256()
        file = self.store.root / f"{name}.partial"
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as f:
            for piece in _tar(name, round(size * self.scale), f"{self.seed}/{name}"):
                plain.update(piece)
                out = squeezed.compress(piece)
                packed.update(out)
                f.write(out)
            out = squeezed.flush()
            packed.update(out)
            f.write(out)
        blob = self.store.adopt(file, f"sha256:{packed.hexdigest()}", LAYER)
        return _Layer(blob, f"sha256:{plain.hexdigest()}")


def _tar(name: str, size: int, seed: str) -> Iterator[bytes]:
    """A tar archive of one file of ``size`` random bytes."""
    entry = tarfile.TarInfo(f"opt/{name}")
    entry.size = size
    yield entry.tobuf(tarfile.USTAR_FORMAT)
    source = random.Random(seed)  # noqa: S311 - content, not a secret
    for start in range(0, size, _PIECE):
        yield source.randbytes(min(_PIECE, size - start))
    yield bytes(-size % tarfile.BLOCKSIZE + 2 * tarfile.BLOCKSIZE)
