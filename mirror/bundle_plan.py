"""What making a bundle moves: a pure function of the lock, upstream's manifests and what the other side has."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from .bundle import Kind, Plan
from .layout import OCI_LAYER, Descriptor, digest, media_type
from .lock import LockedFile, LockedModel
from .manifests import Resolved
from .model_image import layer_size
from .parts import blob_path
from .reference import Reference
from .release import EMPTY
from .tar_stream import BLOCK, StreamFile


@dataclass(frozen=True)
class Blob:
    """A blob of a registry."""

    d: Descriptor
    reference: Reference
    """The manifest of upstream that names it."""

    @property
    def key(self) -> str:
        """What the store knows it by."""
        return self.d.digest

    @property
    def size(self) -> int:
        """Bytes."""
        return self.d.size

    def __str__(self) -> str:
        return f"{self.reference.name} {self.d.digest[7:19]}"


@dataclass(frozen=True)
class Web:
    """A file that is fetched by its URL (release YAML, a tool, a wheel), or was given where it has none."""

    url: str | None
    file: LockedFile

    @property
    def key(self) -> str:
        """What the store knows it by."""
        return f"sha256:{self.file.sha256}"

    @property
    def d(self) -> Descriptor:
        """The blob that it is."""
        return Descriptor("", self.key, self.size)

    @property
    def size(self) -> int:
        """Bytes."""
        return self.file.size

    def __str__(self) -> str:
        return self.url or self.file.name


@dataclass(frozen=True)
class Weights:
    """A model's file, which becomes a layer: its size is known, its digest only when it has been read."""

    model: LockedModel
    file: LockedFile

    @property
    def key(self) -> str:
        """What the store knows it by."""
        return self.key_of(self.file)

    @staticmethod
    def key_of(file: LockedFile) -> str:
        """The key of the layer that carries ``file``, whatever its model."""
        return "layer-" + hashlib.sha256(f"{file.name}\n{file.sha256}".encode()).hexdigest()

    @staticmethod
    def layer(digest: str, size: int) -> Descriptor:
        """A layer whose digest is known."""
        return Descriptor(OCI_LAYER, digest, size)

    @property
    def size(self) -> int:
        """Bytes of the layer."""
        return layer_size(self.file)

    def __str__(self) -> str:
        return f"{self.model.name} {self.file.name}"


Item = Blob | Web | Weights


@dataclass(frozen=True)
class Carried:
    """All that a bundle holds, and what of it stays away because the other side has it."""

    plan: Plan
    resolved: Sequence[Resolved]
    omitted: Mapping[str, Descriptor]
    """Blobs that the other side has, by digest."""
    layers: Mapping[str, Descriptor]
    """Layers of models that the other side has, by :attr:`Weights.key`."""

    @cached_property
    def documents(self) -> dict[str, bytes]:
        """Manifests and other small content that is at hand, by digest."""
        found = {digest(c): c for r in self.resolved for c in [*r.documents, *r.at_hand.values()]}
        for manifest in [*(r.manifest for r in self.plan.releases), *(k.manifest for k in self.plan.kits)]:
            found |= {digest(c): c for c in (EMPTY, manifest)}
        return found

    @cached_property
    def items(self) -> list[Item]:
        """What is fetched, each once, by key."""
        files = [Web(r.url, r.file) for r in self.plan.releases]
        files += [Web(m.url, m.file) for k in self.plan.kits for m in k.members]
        found: dict[str, Item] = {f.key: f for f in files}
        for r in self.resolved:
            for key, (d, reference) in r.blobs.items():
                if key not in self.documents and key not in self.omitted:
                    found.setdefault(key, Blob(d, reference))
        return [found[k] for k in sorted(found)]

    @cached_property
    def weights(self) -> list[Weights]:
        """Models' files that are fetched, each once, by name and content."""
        found = {w.key: w for m in self.plan.models for w in (Weights(m, f) for f in m.files)}
        kept = [w for k, w in found.items() if k not in self.layers]
        return sorted(kept, key=lambda w: (w.file.name, w.file.sha256))

    @property
    def fetched(self) -> list[Item]:
        """Everything that is fetched, the largest first: nothing long is begun last."""
        return sorted([*self.items, *self.weights], key=lambda i: (-i.size, i.key))

    @cached_property
    def stream(self) -> list[tuple[str, StreamFile]]:
        """Key and file of what the stream of parts begins with: all but what follows from the models' layers."""
        sizes = {k: len(c) for k, c in self.documents.items()} | {i.key: i.size for i in self.items}
        first = [(k, StreamFile(path=blob_path(k), size=s)) for k, s in sorted(sizes.items())]
        unknown = blob_path("sha256:" + "0" * 64)
        return [*first, *((w.key, StreamFile(path=unknown, size=w.size)) for w in self.weights)]

    @property
    def disk(self) -> int:
        """Bytes that the bundle takes, within a few thousand."""
        files = self.stream
        return sum(f.size for _, f in files) + 2 * BLOCK * len(files)

    def entries(self) -> Iterator[tuple[Kind, str, Descriptor]]:
        """What stands in index.json, without the models."""
        for r in self.resolved:
            yield r.kind, r.name, Descriptor.of(media_type(r.top, r.name), r.top)
        for release in self.plan.releases:
            yield "manifest", release.reference, Descriptor.of(media_type(release.manifest, ""), release.manifest)
        for kit in self.plan.kits:
            yield "bootstrap", kit.reference, Descriptor.of(media_type(kit.manifest, ""), kit.manifest)
