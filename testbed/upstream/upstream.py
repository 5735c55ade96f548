"""The whole upstream side: everything built into a cache, and the two servers that serve it."""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mirror.atomic import write_atomically
from mirror.catalog import Catalog
from mirror.errors import ToolMissing
from mirror.source_map import SourceMap
from testbed.node.ledger import Book
from testbed.node.processes import Process, wait_until

from . import charts, images, models, modules, releases, tools, wheels
from .layers import Layers
from .origins import Sums, Workshop
from .store import Store

OCI_HOSTS = ("docker.io", "gcr.io", "ghcr.io", "quay.io", "registry.k8s.io")
WEB_HOSTS = (
    "dl.k8s.io",
    "get.helm.sh",
    "get.pulumi.com",
    "github.com",
    "huggingface.co",
    wheels.INDEX_HOST,
    wheels.FILES_HOST,
)
REGISTRY_PORT = 5100
WEB_PORT = 8100
_PROJECT = Path(__file__).resolve().parents[2]
_LICENCE = Path("/usr/share/common-licenses/Apache-2.0")  # Debian's base-files
_START_SECONDS = 20


@dataclass(frozen=True)
class Upstream:
    """What stands outside the gap. ``cache`` keeps some 1.5 GB between runs and needs 4 GB more while it is filled.

    ``binaries`` holds the programs that the images contain, helm among them. ``report`` is told of every long step.
    """

    cache: Path
    binaries: Path
    report: Callable[[str], None] = lambda _what: None
    declared: images.Images = field(default_factory=lambda: images.Images.read(images.DECLARED))

    def prepare(self) -> None:
        """Build what is missing or has changed, and nothing else. Raises BadInput or ToolMissing.

        Two at a time on one cache wait for each other; one that was killed is continued.
        """
        with self._alone():
            for left in [*(self.cache / "scratch").glob("tmp*"), *(self.cache / "layers").glob("tmp*")]:
                shutil.rmtree(left)
            self._prepare()

    def prepare_bootstrap(self) -> Path:
        """Build only what sets up an operator's machine; gives the directory of files. Raises as :meth:`prepare`."""
        with self._alone():
            self._bootstrap(Sums.read(self.cache / "sums.json"), _Made.read(self.cache / "made.json"))
        return self.cache / "web"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self.cache.mkdir(parents=True, exist_ok=True)
        with (self.cache / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _prepare(self) -> None:
        scratch = self.cache / "scratch"
        scratch.mkdir(exist_ok=True)
        layers = Layers(self.store, self.cache / "layers")
        workshop = Workshop(layers, self.binaries, scratch, Sums.read(self.cache / "sums.json"))
        made = _Made.read(self.cache / "made.json")
        built = self._images(workshop, layers, made)
        built |= self._charts(workshop, made)
        self._releases(workshop)
        self._bootstrap(workshop.sums, made)
        self._models()
        workshop.sums.write()
        made.write()
        if self._retract() or built:
            for digest in self.store.unused():
                self.store.remove(digest)

    @property
    def store(self) -> Store:
        """The registry's storage."""
        return Store(self.cache / "registry")

    def start(self, state: Path, *, registry_port: int = REGISTRY_PORT, web_port: int = WEB_PORT) -> RunningUpstream:
        """Start both servers; their ledger and logs lie in ``state``. What an earlier run left there is ended first."""
        state.mkdir(parents=True, exist_ok=True)
        book = Book(state / "upstream.json")
        book.end()
        try:
            registry = self._start_registry(book, state, registry_port)
            web = self._start_web(book, state, web_port)
            wait_until(
                "the upstream registry",
                lambda: _answers(registry_port, "/v2/"),
                seconds=_START_SECONDS,
                needs=[registry],
            )
            wait_until("the upstream web server", lambda: _answers(web_port, "/"), seconds=_START_SECONDS, needs=[web])
        except BaseException:
            book.end()
            book.close()
            raise
        return RunningUpstream(book, source_map(registry_port, web_port))

    def _images(self, workshop: Workshop, layers: Layers, made: _Made) -> bool:
        wanted = []
        for image in self.declared.images:
            key = images.key(image, workshop)
            if made.keys.get(image.name) != key or self._digest(image.name) is None:
                wanted.append((image, key))
        self._named_layers(workshop, [i for i, _ in wanted])
        for image, key in wanted:
            self.report(f"image {image.name}")
            images.build(image, workshop, layers)
            made.keys[image.name] = key
            made.write()
        return bool(wanted)

    def _named_layers(self, workshop: Workshop, wanted: list[images.Image]) -> None:
        """The slow ones, two at a time: one mostly downloads while another compresses."""
        names = dict.fromkeys(n for i in wanted for n in i.layers if n != "vllm")  # made with vllm-torch
        missing = [n for n in names if workshop.layers.find(workshop.layer_key(n)) is None]

        def make(name: str) -> None:
            self.report(f"layer {name}")
            workshop.layer(name)

        with ThreadPoolExecutor(2) as pool:
            for _ in pool.map(make, sorted(missing, key=lambda n: n != "vllm-torch")):
                pass

    def _retract(self) -> bool:
        """Take back what an earlier declaration published and the present one does not."""
        declared = {i.name for i in self.declared.images} | {c.name for c in charts.CHARTS}
        left = sorted(set(self.store.names()) - declared)
        for name in left:
            self.store.retract(*name.rsplit(":", 1))
        return bool(left)

    def _charts(self, workshop: Workshop, made: _Made) -> bool:
        built = False
        for chart in charts.CHARTS:
            key = f"{modules.version(chart.module)} {chart.path} {workshop.sha256(Path(charts.__file__))}"
            if made.keys.get(chart.name) == key and self._digest(chart.name):
                continue
            self.report(f"chart {chart.name}")
            sources = workshop.module(chart.module) / chart.path
            charts.publish(chart, sources, workshop.binary("helm"), self.store)
            made.keys[chart.name] = key
            built = True
        return built

    def _releases(self, workshop: Workshop) -> None:
        def digest(name: str) -> str:
            found = self._digest(name)
            if found is None:
                raise ToolMissing(name, "no such image was built", "Declare it in images.yaml.")
            return found

        for url, text in releases.texts(workshop.module, digest).items():
            file = self.cache / "web" / url
            if not file.is_file() or file.read_text() != text:
                self.report(f"release {url}")
                write_atomically(file, text)

    def _bootstrap(self, sums: Sums, made: _Made) -> None:
        for tool in tools.TOOLS:
            inputs = [sums.sha256(self.binaries / p) for p in tool.programs.values()]
            key = " ".join([*inputs, sums.sha256(Path(tools.__file__))])
            target = self.cache / "web" / tool.url
            if made.keys.get(tool.url) != key or not target.is_file():
                self.report(f"tool {tool.url}")
                target.parent.mkdir(parents=True, exist_ok=True)
                tool.write(lambda name: self.binaries / name, target)
                made.keys[tool.url] = key
                made.write()
        said = Catalog.load(_PROJECT / "catalog").bootstrap
        if said and made.keys.get(wheels.INDEX_HOST) != (key := wheels.key(said)):
            self.report(f"wheels of {said.requirements.name}")
            wheels.publish(said, self.cache / "web")
            made.keys[wheels.INDEX_HOST] = key
            made.write()

    def _models(self) -> None:
        if not self._model_directory.is_dir():
            self.report(f"models {', '.join(m.repository for m in models.STAND_INS)}")
            models.write(self._model_directory, _LICENCE.read_text())

    @property
    def _model_directory(self) -> Path:
        # Named by what writes it: changed code writes a new one.
        return self.cache / f"models-{models.key()}"

    def _digest(self, name: str) -> str | None:
        repository, _, tag = name.rpartition(":")
        return self.store.resolve(repository, tag)

    def _start_registry(self, book: Book, state: Path, port: int) -> Process:
        program = shutil.which("docker-registry") or shutil.which("registry")
        if program is None:
            raise ToolMissing("docker-registry", "it is not on PATH", "Install Debian's package docker-registry.")
        configuration = state / "registry.json"  # JSON is YAML
        write_atomically(configuration, json.dumps(_registry(self.store.root, port)))
        environment = {**os.environ, "OTEL_TRACES_EXPORTER": "none"}
        return book.start("registry", [program, "serve", str(configuration)], state / "registry.log", environment)

    def _start_web(self, book: Book, state: Path, port: int) -> Process:
        command = [sys.executable, "-m", "testbed.upstream.web", "--files", str(self.cache / "web")]
        command += ["--models", str(self._model_directory), "--port", str(port)]
        return book.start("web", command, state / "web.log", {**os.environ, "PYTHONPATH": str(_PROJECT)})


@dataclass(frozen=True)
class RunningUpstream:
    """Both servers, up. Use it with ``with``, or call :meth:`stop`."""

    book: Book
    source_map: SourceMap

    @property
    def processes(self) -> list[Process]:
        """The servers' processes."""
        return self.book.ledger.processes

    def stop(self) -> None:
        """End both servers; nothing happens the second time."""
        if not self.book.closed:
            self.book.end()
            self.book.close()

    def __enter__(self) -> RunningUpstream:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def source_map(registry_port: int = REGISTRY_PORT, web_port: int = WEB_PORT) -> SourceMap:
    """The map that sends every upstream host to the two servers."""
    registries = {h: f"http://127.0.0.1:{registry_port}/{h}" for h in OCI_HOSTS}
    return SourceMap(hosts=registries | {h: f"http://127.0.0.1:{web_port}/{h}" for h in WEB_HOSTS})


@dataclass(frozen=True)
class _Made:
    """What was published from which inputs: keys by name."""

    record: Path
    keys: dict[str, str]

    @classmethod
    def read(cls, record: Path) -> _Made:
        return cls(record, json.loads(record.read_text()) if record.is_file() else {})

    def write(self) -> None:
        write_atomically(self.record, json.dumps(self.keys, indent=1))


def _registry(root: Path, port: int) -> dict[str, object]:
    """https://distribution.github.io/distribution/about/configuration/ ; nobody may write: this is upstream."""
    storage = {"filesystem": {"rootdirectory": str(root.resolve())}, "maintenance": {"readonly": {"enabled": True}}}
    return {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": storage,
        "http": {"addr": f"127.0.0.1:{port}"},
    }


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status in (200, 404)
    except OSError:
        return False
    finally:
        connection.close()
