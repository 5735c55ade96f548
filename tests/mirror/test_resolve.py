"""From a catalog to a lock, against an upstream in memory that answers as registries do."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pytest

from mirror import resolve
from mirror.catalog import Catalog
from mirror.distribution.pull import Target
from mirror.document import validate
from mirror.errors import BadInput, LicenceRefused, NotUpstream, RegistryRefused, SealiftError, Undiscovered
from mirror.layout import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, Descriptor, digest
from mirror.lock import Lock, LockedManifest
from mirror.reference import Reference
from mirror.source_map import SourceMap

LAYER = {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": "sha256:" + "1" * 64, "size": 1000}


@dataclass
class Upstream:
    """A Source in memory."""

    manifests: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def image(self, name: str, architectures: Sequence[str] = ("amd64", "arm64")) -> str:
        """Publish an index of images that share one layer; gives its digest."""
        entries = []
        for architecture in architectures:
            manifest = self._manifest(name, architecture)
            platform = {"os": "linux", "architecture": architecture}
            size = len(self.manifests[f"{Reference.parse(name).name}@{manifest}"])
            entries.append({"mediaType": OCI_MANIFEST, "digest": manifest, "size": size, "platform": platform})
        return self._publish(name, {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries})

    def _manifest(self, name: str, architecture: str) -> str:
        own = digest(architecture.encode())
        config = {"mediaType": OCI_CONFIG, "digest": own, "size": 10}
        document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [LAYER]}
        return self._publish(name, document)

    def _publish(self, name: str, document: dict[str, Any]) -> str:
        content = json.dumps(document).encode()
        reference = Reference.parse(name)
        self.manifests[str(reference)] = self.manifests[f"{reference.name}@{digest(content)}"] = content
        return digest(content)

    def raw_manifest(self, reference: Reference) -> bytes:
        self.asked.append(str(reference))
        try:
            return self.manifests[str(reference.pinned() if reference.digest else reference)]
        except KeyError:
            raise NotUpstream(f"image {reference}", "the registry has no such tag", "Correct the name.") from None

    def referrers(self, reference: Reference) -> bytes | None:
        return None

    def fetch(self, reference: Reference, d: Descriptor, target: Target) -> None:
        raise AssertionError(reference)  # a lock moves no blobs


class Hub(Protocol):
    """What the web server of conftest offers here."""

    files: dict[str, bytes]
    requests: list[str]
    url: str


class Told:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def begin(self, what: str, total: int) -> None:
        raise AssertionError(what)  # a lock does not know its length in bytes

    def advance(self, count: int) -> None:
        raise AssertionError(count)

    def say(self, line: str) -> None:
        self.lines.append(line)


def pod(name: str = "p", **container: object) -> str:
    spec = {"containers": [{"name": "c", **container}]}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})


@dataclass
class World:
    hub: Hub
    upstream: Upstream = field(default_factory=Upstream)
    told: Told = field(default_factory=Told)
    catalog: dict[str, Any] = field(default_factory=dict)

    def part(self, name: str, *documents: str, **changes: object) -> dict[str, Any]:
        self.hub.files[f"{name}.yaml"] = "\n---\n".join(documents).encode()
        source = {"kind": "manifest", "urls": [f"https://github.test/files/{name}.yaml"]}
        part = {"name": name, "source": source, "licence": "MIT", "reason": "a part for tests"}
        return {**part, "namespace": "ns", **changes}

    def images(self, *images: str, **changes: object) -> dict[str, Any]:
        source = {"kind": "images", "images": list(images)}
        return {"name": "node", "source": source, "licence": "MIT", "reason": "images for tests", **changes}

    def lock(self, *parts: dict[str, Any], **catalog: object) -> Lock:
        data = {
            "platforms": ["linux/amd64"],
            "kubernetes": "1.34",
            "licences": ["MIT", "ISC", "Apache-2.0"],
            "parts": list(parts),
        }
        read = validate(Catalog, {**data, **catalog}, "catalog")
        mapped = SourceMap(hosts={"github.test": self.hub.url, "hub.test": self.hub.url})
        return resolve.lock(read, self.upstream, mapped, self.told)


@pytest.fixture
def world(hub: Hub) -> World:
    return World(hub)


def test_everything_that_a_manifest_names_is_locked_by_digest(world: World) -> None:
    index = world.upstream.image("quay.io/a/b:1")
    lock = world.lock(world.part("demo", pod(image="quay.io/a/b:1")))
    (image,) = lock.images
    assert (image.reference, image.upstream_digest, image.platforms) == ("quay.io/a/b:1", index, ["linux/amd64"])
    assert image.digest != index
    assert image.found == ["demo: Pod/p spec.containers[0].image"]
    assert lock.parts[0].images == ["quay.io/a/b:1"]
    content = lock.parts[0].content
    assert isinstance(content, LockedManifest)
    assert content.files[0].sha256 == hashlib.sha256(world.hub.files["demo.yaml"]).hexdigest()


def test_the_size_counts_what_two_platforms_share_once(world: World) -> None:
    world.upstream.image("quay.io/a/b:1")
    lock = world.lock(world.images("quay.io/a/b:1"), platforms=["linux/amd64", "linux/arm64"])
    manifests = {c for n, c in world.upstream.manifests.items() if "@" in n}
    assert lock.images[0].size == sum(map(len, manifests)) + 1000 + 10 + 10
    assert lock.images[0].digest == lock.images[0].upstream_digest


def test_a_digest_in_a_manifest_is_what_is_fetched(world: World) -> None:
    pinned = world.upstream.image("gcr.io/k/queue:1")
    world.upstream.manifests.pop("gcr.io/k/queue:1")
    lock = world.lock(world.part("demo", pod(image=f"gcr.io/k/queue@{pinned}")))
    assert [(i.reference, i.upstream_digest) for i in lock.images] == [("gcr.io/k/queue", pinned)]


def test_one_image_in_two_parts_is_one_entry_under_both_licences(world: World) -> None:
    world.upstream.image("quay.io/a/b:1")
    parts = [world.part("one", pod(image="quay.io/a/b:1")), world.images("quay.io/a/b:1", licence="ISC")]
    lock = world.lock(*parts)
    (image,) = lock.images
    assert image.licence == "ISC AND MIT"
    assert image.found == ["node: catalog", "one: Pod/p spec.containers[0].image"]
    assert [p.images for p in lock.parts] == [["quay.io/a/b:1"], ["quay.io/a/b:1"]]


def test_two_digests_under_one_name_are_refused(world: World) -> None:
    a, b = ("sha256:" + c * 64 for c in "ab")
    with pytest.raises(BadInput, match="pinned to") as e:
        world.lock(world.part("demo", pod("p", image=f"gcr.io/q@{a}"), pod("q", image=f"gcr.io/q@{b}")))
    assert "Pod/q" in e.value.why


def test_runtimes_and_models_are_locked_too(world: World) -> None:
    world.upstream.image("docker.io/vllm/vllm:1")
    runtime = {"name": "r", "image": "vllm/vllm:1", "engine": "vllm", "accelerator": "cpu"}
    model = {"name": "tiny", "source": {"kind": "hub", "host": "hub.test", "repo": "Org/Tiny", "revision": "main"}}
    common = {"licence": "MIT", "reason": "something for tests"}
    lock = world.lock(runtimes=[{**runtime, **common}], models=[{**model, **common}])
    assert [(r.name, r.image) for r in lock.runtimes] == [("r", "docker.io/vllm/vllm:1")]
    assert lock.images[0].found == ["runtime r: catalog"]
    assert [(m.name, len(m.files)) for m in lock.models] == [("tiny", 3)]


def test_the_lock_is_the_same_twice_and_says_what_it_did(world: World, tmp_path: Path) -> None:
    world.upstream.image("quay.io/a/b:1")
    part = world.part("demo", pod(image="quay.io/a/b:1"))
    first = world.lock(part)
    assert world.told.lines[0] == "part demo"
    assert world.told.lines[1].startswith("image quay.io/a/b:1@sha256:")
    first.write(tmp_path / "lock")
    world.lock(part).write(tmp_path / "again")
    assert (tmp_path / "lock").read_bytes() == (tmp_path / "again").read_bytes()
    assert Lock.parse((tmp_path / "lock").read_text(), "sealift.lock") == first


def test_a_text_that_only_looks_like_an_image_stops_the_lock(world: World) -> None:
    with pytest.raises(Undiscovered) as e:
        world.lock(world.part("demo", pod(args=["--x=quay.io/a/b:1"])))
    assert e.value.given == "'quay.io/a/b:1' in demo: Pod/p spec.containers[0].args[0]"
    assert "exclusions" in e.value.instead


def test_such_a_text_is_an_image_once_the_catalog_names_it(world: World) -> None:
    world.upstream.image("quay.io/a/b:1")
    lock = world.lock(world.part("demo", pod(args=["--x=quay.io/a/b:1"])), world.images("quay.io/a/b:1"))
    assert lock.images[0].found == ["demo: Pod/p spec.containers[0].args[0]", "node: catalog"]


def test_a_place_for_an_image_with_something_else_stops_the_lock(world: World) -> None:
    with pytest.raises(Undiscovered, match="no image reference"):
        world.lock(world.part("demo", pod(image="$(IMAGE)")))


@pytest.mark.parametrize("text", ["$(IMAGE)", "quay.io/a/b:1"])
def test_an_exclusion_with_a_reason_lets_the_lock_go_on(world: World, text: str) -> None:
    exclusion = {"value": text, "reason": "nobody ever pulls it"}
    lock = world.lock(world.part("demo", pod(image=text)), exclusions=[exclusion])
    assert lock.images == []
    assert [e.data() for e in lock.exclusions] == [exclusion]


def test_an_exclusion_of_nothing_is_mentioned(world: World) -> None:
    world.lock(world.part("demo", pod()), exclusions=[{"value": "old/one:1", "reason": "was there last year"}])
    assert "exclusion 'old/one:1' is found in no manifest" in world.told.lines


def test_a_tag_that_does_not_exist_is_named_with_where_it_was_met(world: World) -> None:
    with pytest.raises(NotUpstream) as e:
        world.lock(world.part("demo", pod(image="quay.io/a/b:9")))
    assert e.value.given == "image quay.io/a/b:9 (met at demo: Pod/p spec.containers[0].image)"
    assert e.value.why == "the registry has no such tag"


def test_a_platform_that_upstream_lacks_stops_the_lock(world: World) -> None:
    world.upstream.image("quay.io/a/b:1", ["arm64"])
    with pytest.raises(NotUpstream, match="linux/amd64"):
        world.lock(world.images("quay.io/a/b:1"))


def test_an_image_without_an_index_does_for_one_platform_and_not_for_two(world: World) -> None:
    world.upstream._manifest("quay.io/a/b:1", "amd64")
    assert world.lock(world.images("quay.io/a/b:1")).images[0].platforms == []
    with pytest.raises(NotUpstream, match="no index"):
        world.lock(world.images("quay.io/a/b:1"), platforms=["linux/amd64", "linux/arm64"])


def test_a_licence_outside_the_list_stops_the_lock_before_anything_is_fetched(world: World) -> None:
    with pytest.raises(LicenceRefused, match="part demo"):
        world.lock(world.part("demo", pod(image="quay.io/a/b:1"), licence="GPL-3.0-only"))
    assert world.upstream.asked == world.hub.requests == []


@pytest.mark.parametrize(
    ("url", "error"), [("https://github.test/files/none.yaml", NotUpstream), ("http://127.0.0.1:1/x", RegistryRefused)]
)
def test_release_yaml_that_cannot_be_had_is_named_by_its_url(world: World, url: str, error: type[SealiftError]) -> None:
    source = {"kind": "manifest", "urls": [url]}
    with pytest.raises(error) as e:
        world.lock(world.part("demo", source=source))
    assert e.value.given.endswith(url.rpartition("/")[2])


def test_two_files_of_one_name_in_a_part_are_refused(world: World) -> None:
    world.hub.files["x/core.yaml"] = world.hub.files["core.yaml"] = pod().encode()
    urls = [f"https://github.test/files/{p}core.yaml" for p in ("", "x/")]
    with pytest.raises(BadInput, match=r"core\.yaml"):
        world.lock(world.part("demo", source={"kind": "manifest", "urls": urls}))
