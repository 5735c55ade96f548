"""Models from registries: artifacts whose manifest says every file, and modelcars that are looked into."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from dataclasses import dataclass, field
from typing import Any

import pytest

from mirror import model_artifacts, model_files, modelcars
from mirror.catalog import Model, ModelcarSource, OciSource
from mirror.distribution.pull import Target
from mirror.errors import BadInput, Damaged, NotUpstream, RegistryRefused
from mirror.layout import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, Descriptor, digest, encode
from mirror.lock import LockedImage
from mirror.models import lock_model
from mirror.reference import Reference
from mirror.source_map import SourceMap

GZIP = f"{OCI_LAYER}+gzip"
NAME = "quay.io/org/model:1"


@dataclass
class Registry:
    """A registry in memory."""

    manifests: dict[str, bytes] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    breaks_at: int | None = None
    fetched: list[str] = field(default_factory=list)

    def raw_manifest(self, reference: Reference) -> bytes:
        try:
            return self.manifests[reference.digest or str(reference.tag)]
        except KeyError as e:
            raise NotUpstream(str(reference), "absent", "") from e

    def referrers(self, reference: Reference) -> bytes | None:
        return None

    def fetch(self, reference: Reference, d: Descriptor, target: Target) -> None:
        self.fetched.append(d.digest)
        content = self.blobs[d.digest]
        for start in range(0, len(content), 1000):
            if self.breaks_at is not None and start >= self.breaks_at:
                raise RegistryRefused(str(reference), "it broke off", "Run again.")
            target.write(memoryview(content[start : start + 1000]))

    def add(self, content: bytes, media_type: str, **annotations: str) -> dict[str, Any]:
        self.blobs[digest(content)] = content
        return Descriptor(media_type, digest(content), len(content), annotations).json()

    def push(self, document: dict[str, Any], tag: str | None = None) -> str:
        content = encode({"schemaVersion": 2, **document})
        self.manifests[digest(content)] = content
        if tag:
            self.manifests[tag] = content
        return digest(content)

    def manifest(self, *layers: dict[str, Any], tag: str | None = None, **more: object) -> str:
        config = self.add(b"{}", OCI_CONFIG)
        return self.push({"mediaType": OCI_MANIFEST, "config": config, "layers": list(layers), **more}, tag)

    def image(self, reference: str = NAME, **changes: object) -> LockedImage:
        """What the lock says of the image at tag 1."""
        content = self.manifests["1"]
        fields: dict[str, Any] = {
            "reference": reference,
            "digest": digest(content),
            "upstream_digest": digest(content),
            "media_type": json.loads(content)["mediaType"],
            "platforms": [],
            "size": 1,
            "licence": "MIT",
            "found": [],
        }
        return LockedImage(**{**fields, **changes})


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# Artifacts

MODELPACK = "application/vnd.cncf.model"


def modelpack(registry: Registry, **more: object) -> str:
    where = "org.cncf.model.filepath"
    return registry.manifest(
        registry.add(b"weights one", f"{MODELPACK}.weight.v1.raw", **{where: "model-1-of-2.safetensors"}),
        registry.add(b"weights two", f"{MODELPACK}.weight.v1.raw", **{where: "model-2-of-2.safetensors"}),
        registry.add(b"{}", f"{MODELPACK}.weight.config.v1.raw", **{where: "config.json"}),
        registry.add(b"terms", f"{MODELPACK}.doc.v1.raw", **{where: "LICENSE"}),
        registry.add(b"import os", f"{MODELPACK}.code.v1.raw", **{where: "modeling.py"}),
        tag="1",
        artifactType=f"{MODELPACK}.manifest.v1+json",
        **more,
    )


def model(source: OciSource | ModelcarSource, *allow: str) -> Model:
    return Model(name="m", source=source, licence="MIT", reason="For the tests of it.", allow_files=list(allow))


def test_a_modelpack_is_locked_by_its_manifest_alone_shard_by_shard() -> None:
    registry = Registry()
    made = modelpack(registry)
    locked = lock_model(model(OciSource(reference=NAME)), SourceMap.none(), registry, [])
    assert (locked.source, locked.origin, locked.revision) == ("oci", "quay.io/org/model", made.partition(":")[2])
    assert locked.reference == f"quay.io/org/model:{made.partition(':')[2]}"
    assert [(f.name, f.sha256) for f in locked.files] == [
        ("LICENSE", sha(b"terms")),
        ("config.json", sha(b"{}")),
        ("model-1-of-2.safetensors", sha(b"weights one")),
        ("model-2-of-2.safetensors", sha(b"weights two")),
    ]
    assert registry.fetched == []
    assert model_files.licence_file(locked) == "LICENSE"


@pytest.mark.parametrize("annotation", ["org.cnai.model.filepath", "org.opencontainers.image.title"])
def test_a_layers_file_is_named_by_the_annotation_of_the_tool_that_pushed_it(annotation: str) -> None:
    registry = Registry()
    made = registry.manifest(registry.add(b"w", "application/octet-stream", **{annotation: "a/b.safetensors"}))
    assert [f.name for f in model_artifacts.files(registry.manifests[made], "x")] == ["a/b.safetensors"]


def test_an_artifact_that_has_only_pickles_is_refused_unless_they_are_allowed_by_name() -> None:
    registry = Registry()
    title = "org.opencontainers.image.title"
    registry.manifest(registry.add(b"p", "application/octet-stream", **{title: "pytorch_model.bin"}), tag="1")
    with pytest.raises(BadInput, match=r"pytorch_model\.bin can run code"):
        lock_model(model(OciSource(reference=NAME)), SourceMap.none(), registry, [])
    allowed = lock_model(model(OciSource(reference=NAME), "pytorch_model.bin"), SourceMap.none(), registry, [])
    assert [f.name for f in allowed.files] == ["pytorch_model.bin"]


@pytest.mark.parametrize(
    ("media_type", "name", "why"),
    [
        (f"{MODELPACK}.weight.v1.tar", "a.safetensors", "is an archive"),
        (f"{MODELPACK}.weight.v1.tar+gzip", "a.safetensors", "is an archive"),
        (f"{MODELPACK}.weight.v1.raw", "../a.safetensors", "leads outside"),
        (f"{MODELPACK}.weight.v1.raw", "/a.safetensors", "leads outside"),
        (f"{MODELPACK}.weight.v1.raw", None, "says no file name"),
        (OCI_LAYER, None, "is it a modelcar"),
    ],
)
def test_a_layer_that_is_not_one_named_file_is_bad_input(media_type: str, name: str | None, why: str) -> None:
    registry = Registry()
    said = {"org.cncf.model.filepath": name} if name else {}
    made = registry.manifest(registry.add(b"x", media_type, **said))
    with pytest.raises(BadInput, match=why):
        model_artifacts.files(registry.manifests[made], "x")


def test_a_name_that_stands_twice_and_an_index_are_bad_input() -> None:
    registry = Registry()
    title = {"org.opencontainers.image.title": "a.safetensors"}
    made = registry.manifest(registry.add(b"x", "a/b", **title), registry.add(b"y", "a/b", **title))
    with pytest.raises(BadInput, match="stands twice"):
        model_artifacts.files(registry.manifests[made], "x")
    index = encode({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []})
    with pytest.raises(BadInput, match="it is an index"):
        model_artifacts.files(index, "x")


# Modelcars


def layer(*files: tuple[str, bytes | None]) -> bytes:
    """A layer of files; None is a directory."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files:
            member = tarfile.TarInfo(name)
            member.type = tarfile.REGTYPE if content is not None else tarfile.DIRTYPE
            member.size = len(content or b"")
            tar.addfile(member, io.BytesIO(content or b""))
    return buffer.getvalue()


def look(registry: Registry, made: str) -> dict[str, str]:
    found = modelcars.look(Reference.parse(NAME), registry.manifests[made], registry)
    return {f.name: f.sha256 for f in found}


@pytest.mark.parametrize("compressed", [True, False], ids=["gzip", "plain"])
def test_the_files_below_models_are_named_with_their_sums(compressed: bool) -> None:
    registry, weights = Registry(), bytes(range(256)) * 5_000
    content = layer(("models", None), ("models/a.safetensors", weights), ("etc/passwd", b"root"))
    made = registry.manifest(
        registry.add(gzip.compress(content) if compressed else content, GZIP if compressed else OCI_LAYER)
    )
    assert look(registry, made) == {"a.safetensors": sha(weights)}


def test_later_layers_replace_and_remove_files_of_earlier_ones() -> None:
    registry = Registry()
    made = registry.manifest(
        registry.add(
            layer(("models/a", b"1"), ("models/b", b"1"), ("models/d/e", b"1"), ("models/f/g", b"1")), OCI_LAYER
        ),
        registry.add(layer(("models/a", b"2"), ("models/.wh.b", b""), ("models/.wh.d", b"")), OCI_LAYER),
        registry.add(layer(("./models/f/.wh..wh..opq", b""), ("models/f/h", b"3")), OCI_LAYER),
    )
    assert look(registry, made) == {"a": sha(b"2"), "f/h": sha(b"3")}


def test_a_modelcar_is_locked_as_the_image_that_it_is() -> None:
    registry = Registry()
    registry.manifest(registry.add(layer(("models/a.safetensors", b"w"), ("models/LICENSE", b"t")), OCI_LAYER), tag="1")
    source = ModelcarSource(reference=NAME)
    locked = lock_model(model(source), SourceMap.none(), registry, [registry.image()])
    assert (locked.source, locked.image, locked.reference) == ("modelcar", NAME, NAME)
    assert [f.name for f in locked.files] == ["LICENSE", "a.safetensors"]


def test_of_an_index_the_kept_platforms_must_hold_the_same_model() -> None:
    registry = Registry()
    one = registry.manifest(registry.add(layer(("models/a.safetensors", b"w")), OCI_LAYER))
    other = registry.manifest(registry.add(layer(("models/a.safetensors", b"x")), OCI_LAYER))

    def index(**platforms: str) -> None:
        entries = [
            {**Descriptor(OCI_MANIFEST, d, 1).json(), "platform": {"os": "linux", "architecture": a}}
            for a, d in platforms.items()
        ]
        registry.push({"mediaType": OCI_INDEX, "manifests": entries}, "1")

    source = model(ModelcarSource(reference=NAME))
    index(amd64=one, arm64=other)
    with pytest.raises(BadInput, match="hold different models"):
        lock_model(source, SourceMap.none(), registry, [registry.image(platforms=["linux/amd64", "linux/arm64"])])
    assert lock_model(source, SourceMap.none(), registry, [registry.image(platforms=["linux/amd64"])]).files


@pytest.mark.parametrize("harmful", ["pytorch_model.bin", "modeling.py", "x/hook.so"])
def test_a_modelcar_that_holds_code_is_refused_unless_it_is_allowed_by_name(harmful: str) -> None:
    registry = Registry()
    files = layer(("models/a.safetensors", b"w"), (f"models/{harmful}", b"x"))
    registry.manifest(registry.add(files, OCI_LAYER), tag="1")
    source = ModelcarSource(reference=NAME)
    with pytest.raises(BadInput, match="can run code"):
        lock_model(model(source), SourceMap.none(), registry, [registry.image()])
    assert lock_model(model(source, harmful), SourceMap.none(), registry, [registry.image()]).files


def test_an_image_without_a_model_is_refused() -> None:
    registry = Registry()
    registry.manifest(registry.add(layer(("etc/passwd", b"root")), OCI_LAYER), tag="1")
    with pytest.raises(BadInput, match=r"no \*\.safetensors"):
        lock_model(model(ModelcarSource(reference=NAME)), SourceMap.none(), registry, [registry.image()])


@pytest.mark.parametrize(
    ("content", "media_type"),
    [(b"no tar at all" * 100, OCI_LAYER), (b"no gzip", GZIP), (gzip.compress(bytes(9000), mtime=0)[:-8], GZIP)],
    ids=["no tar", "no gzip", "cut gzip"],
)
def test_a_layer_that_cannot_be_read_is_damaged(content: bytes, media_type: str) -> None:
    registry = Registry()
    made = registry.manifest(registry.add(content, media_type))
    with pytest.raises(Damaged, match="cannot be read"):
        look(registry, made)


def test_a_compression_that_cannot_be_looked_into_is_said() -> None:
    registry = Registry()
    made = registry.manifest(registry.add(b"x", f"{OCI_LAYER}+zstd"))
    with pytest.raises(BadInput, match="zstd"):
        look(registry, made)


def test_what_goes_wrong_at_the_registry_is_what_is_raised() -> None:
    registry = Registry(breaks_at=3000)
    made = registry.manifest(registry.add(layer(("models/a.safetensors", bytes(500_000))), OCI_LAYER))
    with pytest.raises(RegistryRefused, match="it broke off"):
        look(registry, made)
