"""Images that are in no registry, read by the real skopeo, on their whole way: locked, carried, verified, loaded."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mirror import load as loading
from mirror import resolve, skopeo
from mirror.bundle_create import Order, create
from mirror.bundle_verify import verify
from mirror.catalog import Catalog
from mirror.errors import BadInput, Damaged, NotUpstream, SealiftError, ToolMissing
from mirror.layout import OCI_INDEX, OCI_LAYER, OCI_MANIFEST, Descriptor, Layout, digest, links
from mirror.lock import LockedImage
from mirror.progress import Silent
from mirror.reference import Reference
from mirror.registry import Internal, Upstream, internal
from mirror.skopeo_source import SkopeoSource, sources
from mirror.source_map import SourceMap

if TYPE_CHECKING:
    from conftest import Authority, Publisher, Registry

APP = "corp.example/team/app:1.4"
OTHER = "corp.example/team/other:2"
MULTI = "corp.example/team/multi:3"


def tarred(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def saved(path: Path, images: dict[str, list[bytes]]) -> None:
    """An archive as `docker save` writes it: the layers uncompressed and each once, one manifest.json for all."""
    files: dict[str, bytes] = {}
    listed = []
    for name, layers in images.items():
        ids = [digest(x) for x in layers]
        config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": ids}}
        config |= {"created": "2026-01-01T00:00:00Z", "config": {"Cmd": [name]}, "history": [{}] * len(ids)}
        encoded = json.dumps(config).encode()
        there = {f"{digest(x)[7:]}/layer.tar": x for x in layers}
        files |= {f"{digest(encoded)[7:]}.json": encoded, **there}
        listed.append({"Config": f"{digest(encoded)[7:]}.json", "RepoTags": [name], "Layers": list(there)})
    with tarfile.open(path, "w") as tar:
        for file, content in {**files, "manifest.json": json.dumps(listed).encode()}.items():
            entry = tarfile.TarInfo(file)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))


BASE = tarred("base", bytes(range(256)) * 2000)


@pytest.fixture
def directory(tmp_path: Path, publisher: Publisher) -> Path:
    """What a packer has: a saved image, an archive of two, an index in an OCI archive; and the map that says so."""
    saved(tmp_path / "app.tar", {"app:latest": [BASE, tarred("app", b"1")]})
    saved(tmp_path / "two.tar", {"one:1": [BASE], "other:2": [BASE, tarred("other", b"2")]})
    images = {f"linux/{a}": publisher.manifest(a, [publisher.layer(f"own-{a}")]) for a in ("amd64", "arm64")}
    (tmp_path / "layout").mkdir()
    Layout(tmp_path / "layout").write_index([publisher.index(images)])
    shared = ["--src-shared-blob-dir", str(publisher.layout.blobs)]
    to = f"oci-archive:{tmp_path / 'multi.tar'}"
    subprocess.run(["skopeo", "copy", "-q", "--all", *shared, f"oci:{tmp_path / 'layout'}", to], check=True)
    lines = [f"{APP}: docker-archive:app.tar", f"{OTHER}: docker-archive:two.tar:other:2"]
    lines += [f"{MULTI}: oci-archive:multi.tar", f"docker.io: http://{publisher.registry.host}/docker.io"]
    (tmp_path / "map.yaml").write_text("\n".join(lines))
    return tmp_path


def catalog(*images: str) -> Catalog:
    part = {
        "name": "own",
        "source": {"kind": "images", "images": list(images)},
        "licence": "MIT",
        "reason": "Images of our own.",
    }
    return Catalog.model_validate(
        {"platforms": ["linux/amd64"], "kubernetes": "1.34", "licences": ["MIT"], "parts": [part]}
    )


def locked(directory: Path, *images: str) -> list[LockedImage]:
    mapped = SourceMap.read(directory / "map.yaml")
    made = resolve.lock(catalog(*images), sources(mapped), mapped)
    made.write(directory / "sealift.lock")
    return made.images


def order(directory: Path, output: str) -> Order:
    mapped = SourceMap.read(directory / "map.yaml")
    return Order(directory / "sealift.lock", directory / output, sources(mapped), mapped)


def test_they_are_locked_by_their_names_carried_and_loaded_beside_images_of_registries(
    directory: Path, publisher: Publisher, inside: Registry, site_ca: Authority, tmp_path: Path
) -> None:
    publisher.push("docker.io/org/public:1", publisher.manifest("amd64", [publisher.layer("public")]))
    found = {i.reference: i for i in locked(directory, APP, OTHER, MULTI, "docker.io/org/public:1")}
    assert found.keys() == {APP, OTHER, MULTI, "docker.io/org/public:1"}
    assert found[MULTI].media_type == OCI_INDEX
    assert found[MULTI].platforms == ["linux/amd64"]
    made = create(order(directory, "bundle"), Silent())
    verify(directory / "bundle", Silent())
    layers = [(d.media_type, d.digest) for d in links(made.layout.read(found[APP].digest), APP)[1:]]
    assert layers == [(OCI_LAYER, digest(x)) for x in (BASE, tarred("app", b"1"))], "as docker save wrote them"
    with internal(site_ca.ca, None) as registry:
        received = loading.load(made, inside.host, registry, tmp_path / "site", Silent())
    assert received.missing == []
    assert {i.mirrored for i in received.images} == {
        f"{inside.host}/{r.rpartition(':')[0]}@{i.digest}" for r, i in found.items()
    }


def test_an_archive_gives_the_same_digest_each_time_and_is_read_once(directory: Path) -> None:
    runs: list[Sequence[str]] = []

    def noted(arguments: Sequence[str], paths: Sequence[Path]) -> skopeo.Finished:
        runs.append(arguments)
        return skopeo.native(arguments, paths)

    mapped = SourceMap.read(directory / "map.yaml")
    digests = set()
    for _ in range(2):
        source = SkopeoSource(mapped, Upstream(), lambda: noted)
        for _ in range(3):
            digests.add(digest(source.raw_manifest(Reference.parse(APP))))
    assert len(digests) == 1
    assert len(runs) == 2


def test_an_image_in_containers_storage_is_the_same_as_in_the_archive_it_was_loaded_from(directory: Path) -> None:
    store = f"containers-storage:[vfs@{directory / 'graph'}+{directory / 'run'}]localhost/app:1"
    subprocess.run(["skopeo", "copy", "-q", f"docker-archive:{directory / 'app.tar'}", store], check=True)
    before = locked(directory, APP)[0].digest
    (directory / "map.yaml").write_text(f"{APP}: {store}\n")
    assert locked(directory, APP)[0].digest == before
    create(order(directory, "bundle"), Silent())
    verify(directory / "bundle", Silent())


def test_an_archive_that_is_another_than_at_the_lock_is_refused(directory: Path) -> None:
    before = locked(directory, APP)[0].digest
    saved(directory / "app.tar", {"app:latest": [BASE, tarred("app", b"changed")]})
    with pytest.raises(Damaged) as e:
        create(order(directory, "bundle"), Silent())
    assert e.value.given == f"{APP}@{before} from docker-archive:{directory / 'app.tar'}"
    assert e.value.why.endswith(" now")
    assert not (directory / "bundle").exists()


@pytest.mark.parametrize(
    ("place", "kind", "said"),
    [
        ("docker-archive:absent.tar", BadInput, "no such file"),
        ("docker-archive:two.tar:third:3", NotUpstream, "third:3"),
        ("docker-archive:two.tar", BadInput, "got 2"),
        ("docker-archive:map.yaml", ToolMissing, "skopeo"),
        ("docker-daemon:app:1.4", ToolMissing, "(?i)daemon"),
        ("containers-storage:localhost/absent:1", NotUpstream, "absent"),
    ],
)
def test_what_skopeo_cannot_read_is_refused_by_its_reason(
    directory: Path, place: str, kind: type[SealiftError], said: str
) -> None:
    (directory / "map.yaml").write_text(f"{APP}: {place}\n")
    with pytest.raises(kind, match=said):
        locked(directory, APP)


class _InRegistries:
    """No registry has anything, and each question is noted."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def raw_manifest(self, reference: Reference) -> bytes:
        self.asked.append(str(reference))
        raise NotUpstream(str(reference), "absent", "")

    def referrers(self, reference: Reference) -> bytes | None:
        self.asked.append(str(reference))
        return None

    def fetch(self, reference: Reference, d: Descriptor, target: object) -> None:
        self.asked.append(str(reference))


def test_no_registry_is_asked_about_what_is_in_none(directory: Path) -> None:
    """Neither for signatures nor for what refers to it: the registry in its name may not exist."""
    registries = _InRegistries()
    mapped = SourceMap.read(directory / "map.yaml")
    resolve.lock(catalog(APP, MULTI), SkopeoSource(mapped, registries), mapped)
    assert registries.asked == []
    with pytest.raises(NotUpstream):
        SkopeoSource(mapped, registries).raw_manifest(Reference.parse("corp.example/team/app:1.5"))
    assert registries.asked == ["corp.example/team/app:1.5"]


def test_skopeo_finds_in_the_registry_what_our_own_engine_put_there(
    whole: Path, inside: Registry, site_ca: Authority, tmp_path: Path
) -> None:
    """The cross-check: manifests of Docker's types and OCI's, indexes, charts, models; byte for byte."""
    from mirror.bundle import Bundle

    bundle = Bundle.open(whole)
    with internal(site_ca.ca, None) as registry:
        assert isinstance(registry, Internal)
        assert loading.load(bundle, inside.host, registry, tmp_path / "site", Silent()).missing == []
    (tmp_path / "certificates").mkdir()
    (tmp_path / "certificates/ca.crt").write_bytes(site_ca.ca.read_bytes())
    trusted = str(tmp_path / "certificates")
    types = set()
    for number, entry in enumerate(bundle.contents.entries):
        target = f"docker://{loading.Delivery.of(entry, inside.host).target}"
        inspect = ["skopeo", "inspect", "--raw", "--cert-dir", trusted, target]
        raw = subprocess.run(inspect, check=True, capture_output=True).stdout
        assert raw == bundle.layout.read(entry.digest)
        types.add(bundle.descriptor(entry).media_type)
        if entry.kind not in ("image", "model"):
            continue  # skopeo's copies are of images.
        copy = ["skopeo", "copy", "-q", "--all", "--preserve-digests", "--src-cert-dir", trusted, target]
        subprocess.run([*copy, f"dir:{tmp_path / str(number)}"], check=True)
        copied = {digest(p.read_bytes()) for p in (tmp_path / str(number)).iterdir()}
        assert {d.digest for d in bundle.layout.walk(bundle.descriptor(entry))} <= copied
    assert {OCI_INDEX, OCI_MANIFEST} < types
    assert len(types) == 4, "and Docker's two"
