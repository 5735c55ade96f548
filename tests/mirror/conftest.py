"""Real registries on loopback, small images made on the spot, and a hub that speaks what huggingface-hub asks."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import json
import random
import shutil
import socket
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from mirror.bundle import Bundle
from mirror.bundle_create import Order, create
from mirror.layout import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    Layout,
    digest,
    encode,
)
from mirror.lock import Lock, LockedChart, LockedFile, LockedImage, LockedManifest, LockedModel, LockedPart
from mirror.platforms import cut
from mirror.progress import Silent
from mirror.registry import CHART_LAYER, Upstream
from mirror.source_map import SourceMap
from mirror.text import merged
from tests.serving import running

HTPASSWD = "operator:$2b$04$2Ku05XKDHHM4AFv/CDvt3eZuZVHJyCItw1.vhPEFTLiZKmsd8ZS96\n"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
CHART_CONFIG = "application/vnd.cncf.helm.config.v1+json"


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@dataclass
class Registry:
    """Debian's docker-registry (distribution 2.8) on loopback, or another of its line."""

    directory: Path
    tls: tuple[Path, Path] | None = None
    htpasswd: Path | None = None
    program: str = "docker-registry"
    settings: dict[str, Any] = field(default_factory=dict)
    """Laid over the configuration; may be changed while it is stopped."""
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> Registry:
        http_: dict[str, Any] = {"addr": self.host}
        if self.tls:
            http_["tls"] = {"certificate": str(self.tls[0]), "key": str(self.tls[1])}
        settings: dict[str, Any] = {
            "version": 0.1,
            "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": str(self.directory / "data")}},
            "http": http_,
        }
        if self.htpasswd:
            settings["auth"] = {"htpasswd": {"realm": "site", "path": str(self.htpasswd)}}
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "config.yml").write_text(json.dumps(merged(settings, self.settings)))
        log = (self.directory / "log").open("ab")
        with log:
            self.process = subprocess.Popen([self.program, *self.arguments()], stdout=log, stderr=log)
        wait_for(self._answers)
        return self

    def arguments(self) -> list[str]:
        return ["serve", str(self.directory / "config.yml")]

    def stop(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def _answers(self) -> bool:
        assert self.process is not None and self.process.poll() is None, (self.directory / "log").read_text()
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0


def wait_for(condition: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not so after {seconds} s"
        time.sleep(0.01)


@dataclass
class Publisher:
    """Makes small images and charts and pushes them to an upstream registry under ``<real host>/<path>``."""

    registry: Registry
    scratch: Path

    @property
    def layout(self) -> Layout:
        self.scratch.mkdir(exist_ok=True)
        return Layout(self.scratch)

    def layer(self, seed: str, size: int = 2000) -> bytes:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            entry = tarfile.TarInfo(seed)
            entry.size = size
            tar.addfile(entry, io.BytesIO(random.Random(seed).randbytes(size)))
        return gzip.compress(buffer.getvalue(), mtime=0, compresslevel=1)

    def manifest(self, architecture: str, layers: list[bytes], docker: bool = False) -> Descriptor:
        config_type = "application/vnd.docker.container.image.v1+json" if docker else OCI_CONFIG
        layer_type = (
            "application/vnd.docker.image.rootfs.diff.tar.gzip"
            if docker
            else "application/vnd.oci.image.layer.v1.tar+gzip"
        )
        ids = [digest(gzip.decompress(x)) for x in layers]
        config = encode(
            {"architecture": architecture, "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": ids}}
        )
        document = {
            "schemaVersion": 2,
            "mediaType": DOCKER_MANIFEST if docker else OCI_MANIFEST,
            "config": self.layout.add(config, config_type).json(),
            "layers": [self.layout.add(x, layer_type).json() for x in layers],
        }
        return self.layout.add(encode(document), document["mediaType"])

    def index(self, images: dict[str, Descriptor], docker: bool = False) -> Descriptor:
        entries = [
            {**d.json(), "platform": {"os": p.partition("/")[0], "architecture": p.partition("/")[2]}}
            for p, d in images.items()
        ]
        media_type = DOCKER_LIST if docker else OCI_INDEX
        return self.layout.add(encode({"schemaVersion": 2, "mediaType": media_type, "manifests": entries}), media_type)

    def chart(self, name: str) -> Descriptor:
        archive = self.layer(f"chart-{name}", 300)
        document = {
            "schemaVersion": 2,
            "config": self.layout.add(encode({"name": name}), CHART_CONFIG).json(),
            "layers": [self.layout.add(archive, CHART_LAYER).json()],
        }
        return self.layout.add(encode(document), OCI_MANIFEST)

    def push(self, reference: str, top: Descriptor) -> None:
        with tempfile.TemporaryDirectory(dir=self.scratch) as one:
            Layout(Path(one)).write_index([top])
            source = ["--src-shared-blob-dir", str(self.layout.blobs), f"oci:{one}"]
            options = ["-q", "--all", "--preserve-digests", "--dest-tls-verify=false"]
            target = f"docker://{self.registry.host}/{reference}"
            subprocess.run(["skopeo", "copy", *options, *source, target], check=True)

    def image(self, reference: str, top: Descriptor, platforms: list[str]) -> LockedImage:
        """Push ``top`` and say what the lock would say of it."""
        self.push(reference, top)
        content = self.layout.read(top.digest)
        content = cut(content, platforms) or content
        locked = self.layout.add(content, top.media_type)
        size = sum(d.size for d in self.layout.walk(locked))
        return LockedImage(
            reference=reference,
            digest=locked.digest,
            upstream_digest=top.digest,
            media_type=top.media_type,
            platforms=platforms,
            size=size,
            licence="Apache-2.0",
            found=["part: Deployment/x spec"],
        )


@dataclass
class Hub:
    """A model hub and a web server in one: repositories below the root, files below ``/files``."""

    repos: dict[str, dict[str, bytes]] = field(default_factory=dict)
    lfs: set[str] = field(default_factory=set)
    files: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    url: str = ""

    def locked(self, name: str, repo: str) -> LockedModel:
        files = [
            LockedFile(name=n, sha256=hashlib.sha256(c).hexdigest(), size=len(c))
            for n, c in sorted(self.repos[repo].items())
        ]
        return LockedModel(name=name, origin=f"hub.test/{repo}", revision=COMMIT, licence="Apache-2.0", files=files)


class _Answer(http.server.BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        ranged = f" [{self.headers['Range']}]" if self.headers["Range"] else ""
        self.hub.requests.append(f"{self.command} {self.path}{ranged}")
        path = self.path.partition("?")[0]
        if path.startswith("/files/") and (content := self.hub.files.get(path.removeprefix("/files/"))) is not None:
            return self._send(content, {}, body)
        for repo, files in self.hub.repos.items():
            if path in (f"/api/models/{repo}/revision/main", f"/api/models/{repo}/revision/{COMMIT}"):
                return self._send(self._info(repo, files), {"Content-Type": "application/json"}, body)
            name = path.removeprefix(f"/{repo}/resolve/{COMMIT}/")
            if name in files:
                etag = f'"{hashlib.sha256(files[name]).hexdigest()}"'
                headers = {"X-Repo-Commit": COMMIT, "ETag": etag, "X-Linked-ETag": etag, "Accept-Ranges": "bytes"}
                return self._send(files[name], headers, body)
        return self._send(b"", {"X-Error-Code": "RepoNotFound"}, body, 404)

    def _info(self, repo: str, files: dict[str, bytes]) -> bytes:
        siblings = []
        for name, content in files.items():
            sibling: dict[str, Any] = {"rfilename": name, "size": len(content), "blobId": "0" * 40}
            if name in self.hub.lfs:
                sha = hashlib.sha256(content).hexdigest()
                sibling["lfs"] = {"sha256": sha, "size": len(content), "pointerSize": 130}
            siblings.append(sibling)
        return json.dumps({"id": repo, "modelId": repo, "sha": COMMIT, "siblings": siblings, "tags": []}).encode()

    def _send(self, content: bytes, headers: dict[str, str], body: bool, status: int = 200) -> None:
        if ranged := self.headers["Range"]:
            start = int(ranged.removeprefix("bytes=").partition("-")[0])
            headers = {**headers, "Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
            content, status = content[start:], 206
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            self.wfile.write(content)


@contextmanager
def serving() -> Iterator[Hub]:
    """A hub that holds the model and the release YAML of the small distribution."""
    made = Hub()
    made.files = {"crds.yaml": b"kind: A\n", "core.yaml": b"kind: B\n"}
    made.repos["Org/Tiny"] = {
        "config.json": b'{"a": 1}',
        "model.safetensors": random.Random("weights").randbytes(300_001),
        "tokenizer/tokenizer.json": b"{}",
    }
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Answer", (_Answer,), {"hub": made}))
    made.url = f"http://127.0.0.1:{server.server_address[1]}"
    with running(server):
        yield made


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving() as made:
        yield made


@pytest.fixture(scope="session")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    registry = Registry(tmp_path_factory.mktemp("upstream")).start()
    yield registry
    registry.stop()


@pytest.fixture(scope="session")
def publisher(upstream: Registry, tmp_path_factory: pytest.TempPathFactory) -> Publisher:
    return Publisher(upstream, tmp_path_factory.mktemp("published"))


@dataclass(frozen=True)
class Authority:
    ca: Path
    certificate: Path
    key: Path


def authority(directory: Path) -> Authority:
    """A certificate authority and a certificate of it for 127.0.0.1."""
    made = Authority(directory / "ca.pem", directory / "server.pem", directory / "server.key")
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    ca_key = str(directory / "ca.key")
    signed = ["-CA", str(made.ca), "-CAkey", ca_key, "-addext", "subjectAltName=IP:127.0.0.1"]
    commands = [
        [*curve, "-keyout", ca_key, "-out", str(made.ca), "-subj", "/CN=site-ca"],
        [*curve, "-keyout", str(made.key), "-out", str(made.certificate), "-subj", "/CN=127.0.0.1", *signed],
    ]
    for command in commands:
        subprocess.run(["openssl", "req", "-x509", *command], check=True, capture_output=True)
    return made


@pytest.fixture(scope="session")
def site_ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="session")
def other_ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that signed nothing of the site's."""
    return authority(tmp_path_factory.mktemp("other-ca"))


@pytest.fixture
def inside(tmp_path: Path, site_ca: Authority) -> Iterator[Registry]:
    """The internal registry: TLS by a private authority."""
    registry = Registry(tmp_path / "inside", (site_ca.certificate, site_ca.key)).start()
    yield registry
    registry.stop()


@pytest.fixture(scope="session")
def loaded_registry(tmp_path_factory: pytest.TempPathFactory, site_ca: Authority) -> Iterator[Registry]:
    """An internal registry that keeps what is loaded into it."""
    registry = Registry(tmp_path_factory.mktemp("loaded"), (site_ca.certificate, site_ca.key)).start()
    yield registry
    registry.stop()


@pytest.fixture
def guarded(tmp_path: Path, site_ca: Authority) -> Iterator[Registry]:
    """The internal registry with a password: operator, secret."""
    (tmp_path / "htpasswd").write_text(HTPASSWD)
    registry = Registry(tmp_path / "guarded", (site_ca.certificate, site_ca.key), tmp_path / "htpasswd").start()
    yield registry
    registry.stop()


@dataclass(frozen=True)
class World:
    """A small distribution, published: two images that share a layer, one cut, a chart, release YAML and a model."""

    lock: Lock
    lock_file: Path
    source_map: SourceMap
    hub: Hub
    publisher: Publisher

    def create(self, output: Path, lock_file: Path | None = None, **more: Any) -> Bundle:  # noqa: ANN401 - fields of Order
        order = Order(lock_file or self.lock_file, output, Upstream(self.source_map), self.source_map, **more)
        return create(order, Silent())

    def locked(self, path: Path, **changes: object) -> Path:
        """A lock like this world's with ``changes``, written to ``path``."""
        structs.replace(self.lock, **changes).write(path)
        return path


@dataclass(frozen=True)
class Published:
    """What stands upstream: two images of Docker's types and one index that is cut, over one base layer; a chart."""

    images: list[LockedImage]
    chart: LockedChart


@pytest.fixture(scope="session")
def published(publisher: Publisher) -> Published:
    base, wanted = publisher.layer("base", 5000), ["linux/amd64"]
    multi = publisher.index(
        {
            "linux/amd64": publisher.manifest("amd64", [base, publisher.layer("a")]),
            "linux/arm64": publisher.manifest("arm64", [publisher.layer("b")]),
            "unknown/unknown": publisher.manifest("unknown", [publisher.layer("attestation")]),
        }
    )
    docker = publisher.index(
        {"linux/amd64": publisher.manifest("amd64", [base, publisher.layer("c")], docker=True)}, docker=True
    )
    single = publisher.manifest("amd64", [base, publisher.layer("d")], docker=True)
    chart = publisher.chart("demo")
    name = "quay.io/org/charts/demo:v1.2.3"
    publisher.push(name, chart)
    images = [
        publisher.image("docker.io/org/docker:1", docker, wanted),
        publisher.image("docker.io/org/single:1", single, wanted),
        publisher.image("gcr.io/org/multi", multi, wanted),
    ]
    return Published(images, LockedChart(reference=name, digest=chart.digest, release="demo", values={"a": 1}))


def small_world(publisher: Publisher, published: Published, hub: Hub, directory: Path) -> World:
    urls = [f"https://github.test/files/{n}" for n in hub.files]
    files = [LockedFile(name=n, sha256=hashlib.sha256(c).hexdigest(), size=len(c)) for n, c in hub.files.items()]
    part: dict[str, Any] = {"namespace": "demo", "licence": "Apache-2.0"}
    lock = Lock(
        kubernetes="1.34",
        platforms=["linux/amd64"],
        parts=[
            LockedPart(name="demo", content=published.chart, images=["docker.io/org/docker:1"], **part),
            LockedPart(name="yaml", content=LockedManifest(urls=urls, files=files), images=[], **part),
        ],
        images=published.images,
        models=[hub.locked("tiny", "Org/Tiny")],
        runtimes=[],
        exclusions=[],
    )
    lock.write(directory / "sealift.lock")
    hosts = {h: f"http://{publisher.registry.host}/{h}" for h in ("docker.io", "gcr.io", "quay.io")}
    mapped = SourceMap(hosts=hosts | {"hub.test": hub.url, "github.test": hub.url})
    return World(lock, directory / "sealift.lock", mapped, hub, publisher)


@pytest.fixture
def world(publisher: Publisher, published: Published, hub: Hub, tmp_path: Path) -> World:
    return small_world(publisher, published, hub, tmp_path)


@pytest.fixture(scope="session")
def made_once(publisher: Publisher, published: Published, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("made")
    with serving() as hub:
        return small_world(publisher, published, hub, directory).create(directory / "bundle").layout.path


@pytest.fixture
def whole(made_once: Path, tmp_path: Path) -> Path:
    """A whole bundle of the small distribution, to be damaged or loaded."""
    return Path(shutil.copytree(made_once, tmp_path / "whole"))
