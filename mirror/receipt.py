"""receipt.json: what arrived in the internal registry, by upstream name. The only source of image names inside."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from .errors import Damaged, NotInReceipt
from .lock import Excluded
from .record import FileRecord, Record
from .reference import Reference


class ReceivedImage(Record, frozen=True, kw_only=True):
    """An image that arrived: the registry was asked for it by digest after the load."""

    reference: str
    """Upstream ``registry/repository[:tag]``."""
    digest: str
    upstream_digest: str | None = None
    """What upstream's manifests pin; differs from ``digest`` where an index was cut to the bundle's platforms."""
    mirrored: str
    """``<internal registry>/<upstream name>@<digest>``."""
    size: int
    signature: str | None = None
    """What the lock's rules made of upstream's signatures, read back from the internal registry."""


class ReceivedModel(Record, frozen=True, kw_only=True):
    """A model that arrived, as an image."""

    name: str
    origin: str
    revision: str
    licence: str
    digest: str
    mirrored: str
    size: int


class ReceivedFile(Record, frozen=True, kw_only=True):
    """A file written beside the receipt. ``path`` is relative to the receipt's directory."""

    path: str
    sha256: str


class ReceivedPart(Record, frozen=True, kw_only=True):
    """A part's content: one chart archive, or release YAML files in order, or nothing but images."""

    name: str
    kind: str
    """chart, manifest or images."""
    namespace: str | None
    release: str | None
    """The Helm release name; None unless kind is chart."""
    values: dict[str, Any]
    files: list[ReceivedFile]
    images: list[str]


class ReceivedRuntime(Record, frozen=True, kw_only=True):
    """A model server that a stack can name; ``image`` is a reference in ``images``."""

    name: str
    engine: str
    accelerator: str
    image: str


class Missing(Record, frozen=True, kw_only=True):
    """Something of the bundle that did not arrive."""

    reference: str
    why: str


Named = TypeVar("Named", ReceivedModel, ReceivedRuntime, ReceivedPart)


class Receipt(FileRecord, frozen=True, kw_only=True, dict=True):
    """What ``sealift load`` proved to be in the internal registry."""

    registry: str
    """``host[:port][/prefix]`` of the internal registry."""
    bundle: str
    """sha256 of the bundle's lock: which bundle this was."""
    kubernetes: str
    images: list[ReceivedImage]
    models: list[ReceivedModel]
    parts: list[ReceivedPart]
    runtimes: list[ReceivedRuntime]
    exclusions: list[Excluded]
    missing: list[Missing] = []

    @property
    def mirrored_names(self) -> list[str]:
        """``<internal registry>/<upstream name>@<digest>`` of every image and model."""
        return [*(i.mirrored for i in self.images), *(m.mirrored for m in self.models)]

    @cached_property
    def _by_name(self) -> dict[str, ReceivedImage]:
        names: dict[str, ReceivedImage] = {}
        for i in self.images:
            names[i.reference] = i
            for digest in (i.upstream_digest or i.digest, i.digest):
                names[f"{Reference.parse(i.reference).name}@{digest}"] = i
        return names

    def image(self, text: str) -> Reference:
        """The mirrored name of an upstream image named by tag, by digest or both; raises NotInReceipt.

        A name that is already the mirrored one is returned as it is.
        """
        wanted = Reference.parse(text)
        tagged = f"{wanted.name}:{wanted.tag}" if wanted.tag else None
        pinned = f"{wanted.name}@{wanted.digest}" if wanted.digest else None
        for key in (pinned, tagged):
            if (
                key
                and (found := self._by_name.get(key))
                and wanted.digest in (None, found.digest, found.upstream_digest)
            ):
                return Reference.parse(found.mirrored)
        if any(wanted.digest and i.mirrored == str(wanted.pinned()) for i in self.images):
            return wanted.pinned()
        raise NotInReceipt(
            f"image {text}",
            f"it never arrived in {self.registry}",
            "Add it to the catalog, lock, make a bundle and load it; or name an image that the receipt holds.",
        )

    def model(self, name: str) -> ReceivedModel:
        """The model called ``name``; raises NotInReceipt."""
        return _named(self.models, "model", name)

    def runtime(self, name: str) -> ReceivedRuntime:
        """The runtime called ``name``; raises NotInReceipt."""
        return _named(self.runtimes, "runtime", name)

    def part(self, name: str) -> ReceivedPart:
        """The part called ``name``; raises NotInReceipt."""
        return _named(self.parts, "part", name)


def content(receipt: Path, part: ReceivedPart) -> list[Path]:
    """The files of ``part`` beside the receipt at ``receipt``, each checked against its sha256; raises Damaged."""
    paths = []
    for f in part.files:
        path = receipt.parent / f.path
        actual = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "no file"
        if actual != f.sha256:
            raise Damaged(str(path), f"sha256 is {actual}, the receipt says {f.sha256}", "Run sealift load again.")
        paths.append(path)
    return paths


def _named(items: list[Named], what: str, name: str) -> Named:
    for i in items:
        if i.name == name:
            return i
    known = ", ".join(i.name for i in items) or "none"
    raise NotInReceipt(f"{what} {name!r}", "the receipt does not hold it", f"Name one that arrived: {known}.")
