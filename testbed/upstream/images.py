"""The images that the upstream registry publishes: declared in images.yaml, built from programs, files and layers."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Literal, Protocol, Self

from pydantic import model_validator

from mirror.document import FileModel, Strict
from mirror.errors import BadInput
from mirror.reference import Reference

from .layers import Entry, Layer, Layers
from .store import CONFIG, INDEX, MANIFEST, Blob

DECLARED = Path(__file__).with_name("images.yaml")
EPOCH = "1970-01-01T00:00:00Z"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LABEL = "dev.sealift.testbed"


class File(Strict):
    """One file of an image: a built program, one of this folder's C programs, a Go module's file, a text or a link."""

    to: str
    """Absolute path in the image."""
    mode: str = "0755"
    """Octal."""
    binary: str | None = None
    program: str | None = None
    module: str | None = None
    path: str | None = None
    """Below the module's directory."""
    text: str | None = None
    link: str | None = None
    """What a symbolic link at ``to`` points to."""

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        given = [x for x in (self.binary, self.program, self.module, self.text, self.link) if x is not None]
        if len(given) != 1 or (self.module is None) != (self.path is None):
            raise ValueError("give one of binary, program, text, link, or module with path")
        return self


class Image(Strict):
    """An image as upstream names it and as its Deployment expects to find it."""

    name: str
    contents: Literal["real", "stand-in", "mixed"]
    note: str
    """What is inside, and what is not upstream's."""
    licence: str
    layers: list[str]
    """Names of layers below the files, lowest first."""
    files: list[File]
    user: str | None = None
    workdir: str | None = None
    entrypoint: list[str] = []
    cmd: list[str] = []
    env: dict[str, str] = {}
    other_platforms: list[str] = []
    """Platforms that the index lists beside linux/amd64, with an image that holds nothing: a mirror must cut them."""

    @property
    def reference(self) -> Reference:
        """The upstream reference."""
        return Reference.parse(self.name)


class Images(FileModel):
    """images.yaml."""

    images: list[Image]


class Origins(Protocol):
    """Where an image's parts come from."""

    def binary(self, name: str) -> Path:
        """A built program."""
        ...

    def program(self, name: str) -> Path:
        """A compiled C program of this folder."""
        ...

    def module(self, name: str) -> Path:
        """The directory of a Go module."""
        ...

    def layer(self, name: str) -> Layer:
        """A named layer, made if need be."""
        ...

    def layer_key(self, name: str) -> str:
        """A text that changes when the named layer would."""
        ...

    def sha256(self, path: Path) -> str:
        """Of a file's content, hex."""
        ...


def build(image: Image, origins: Origins, layers: Layers) -> str:
    """Store ``image`` and publish it under its name; returns the digest that the tag then names.

    Deterministic: the digest follows from images.yaml and the contents of the files and layers.
    """
    stack = [origins.layer(name) for name in image.layers]
    stack += [_file_layer(f, origins, layers) for f in image.files if _source(f, origins)]
    small = [f for f in image.files if not _source(f, origins)]
    stack += [_small_layer(small, layers)] if small else []
    store, repository, tag = layers.store, _repository(image.reference), image.reference.tag
    config = store.add(_json(_config(image, "amd64", stack)), CONFIG)
    manifest = store.add(_json(_manifest(config, stack)), MANIFEST)
    blobs, children, listed = [config, *(x.blob for x in stack)], [manifest], [_listed(manifest, "linux/amd64")]
    for platform in image.other_platforms:
        layer = _elsewhere(platform, layers)
        other = store.add(_json(_config(image, platform.partition("/")[2], [layer])), CONFIG)
        child = store.add(_json(_manifest(other, [layer])), MANIFEST)
        blobs, children = [*blobs, other, layer.blob], [*children, child]
        listed.append(_listed(child, platform))
    index = store.add(_json({"schemaVersion": 2, "mediaType": INDEX, "manifests": listed}), INDEX)
    store.publish(repository, tag, index, blobs, children)
    return index.digest


def key(image: Image, origins: Origins) -> str:
    """A text that changes when the image must be built again; asks for no content beyond hashes."""
    parts = [
        image.model_dump_json(),
        origins.sha256(Path(__file__)),
        *(origins.layer_key(name) for name in image.layers),
    ]
    for f in image.files:
        path = _source(f, origins)
        parts.append(origins.sha256(path) if path else "")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _repository(reference: Reference) -> str:
    return f"{reference.registry}/{reference.repository}"


def _source(file: File, origins: Origins) -> Path | None:
    if file.binary is not None:
        return origins.binary(file.binary)
    if file.program is not None:
        return origins.program(file.program)
    if file.module is not None:
        return origins.module(file.module) / (file.path or "")
    return None


def _file_layer(file: File, origins: Origins, layers: Layers) -> Layer:
    source, mode = _source(file, origins), int(file.mode, 8)
    if source is None or not source.is_file():
        raise BadInput(str(source), "there is no such file", "Build the rehearsal's programs first.")
    return layers.make(
        f"file {file.to} {mode:o} {origins.sha256(source)}", lambda: [Entry(file.to, mode, source=source)]
    )


def _small_layer(files: list[File], layers: Layers) -> Layer:
    """Texts and links, together."""

    def entry(file: File) -> Entry:
        if file.link is not None:
            return Entry(file.to, 0o777, link=file.link)
        return Entry(file.to, int(file.mode, 8), data=(file.text or "").encode())

    return layers.make(f"small {files!r}", lambda: [entry(f) for f in files])


def _elsewhere(platform: str, layers: Layers) -> Layer:
    text = f"Nothing is built for {platform} in a rehearsal.\n".encode()
    return layers.make(f"elsewhere {platform}", lambda: [Entry("/README", 0o644, data=text)])


def _config(image: Image, architecture: str, stack: list[Layer]) -> dict[str, object]:
    environment = {"PATH": PATH} | image.env
    process: dict[str, object] = {
        "Env": [f"{k}={v}" for k, v in environment.items()],
        "Entrypoint": image.entrypoint,
        "Cmd": image.cmd,
        "User": image.user or "",
        "WorkingDir": image.workdir or "/",
        "Labels": _labels(image),
    }
    return {
        "created": EPOCH,
        "architecture": architecture,
        "os": "linux",
        "config": {k: v for k, v in process.items() if v},
        "rootfs": {"type": "layers", "diff_ids": [x.diff_id for x in stack]},
        "history": [{"created": EPOCH, "created_by": "sealift rehearsal"} for _ in stack],
    }


def _labels(image: Image) -> dict[str, str]:
    return {
        "org.opencontainers.image.title": image.reference.repository,
        "org.opencontainers.image.version": image.reference.tag or "",
        "org.opencontainers.image.licenses": image.licence,
        "org.opencontainers.image.description": f"Built for a rehearsal, not upstream's image: {image.note}.",
        LABEL: image.contents,
    }


def _manifest(config: Blob, stack: list[Layer]) -> dict[str, object]:
    return {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config.descriptor(),
        "layers": [x.blob.descriptor() for x in stack],
    }


def _listed(manifest: Blob, platform: str) -> dict[str, object]:
    system, _, architecture = platform.partition("/")
    return manifest.descriptor(platform={"architecture": architecture, "os": system})


def _json(document: dict[str, object]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
