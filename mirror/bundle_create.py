"""Making a bundle: everything that the lock names, brought into one OCI layout, checked against the lock."""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from . import sbom
from .bundle import Bundle, Contents, Kind, Plan, describe, lock_sha256
from .document import write_atomically
from .errors import BadInput, Damaged, NoSpace
from .evidence.find import wrapped
from .layout import (
    BLOBS,
    BUNDLE,
    INDEXES,
    LOCK,
    OCI_EMPTY,
    OCI_MANIFEST,
    PARTIAL,
    SBOM,
    TOP,
    WORK,
    Descriptor,
    Layout,
    digest,
    links,
    media_type,
)
from .lock import Lock, LockedChart, LockedEvidence, LockedImage, LockedModel
from .model_image import layer_size
from .packing import Packing
from .platforms import cut
from .progress import Report
from .reference import Reference
from .registry import Source
from .release import EMPTY, YAML, Release
from .source_map import SourceMap
from .web import download

WORKERS = 4
"""How many images are copied at the same time."""
MARGIN = 64 << 20
"""Bytes that stay free beyond what is computed: directories, manifests, the file system's own."""

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True)
class Resolved:
    """An image or chart whose manifests have been read and agree with the lock."""

    kind: Kind
    reference: Reference
    """Upstream name, with the digest in the lock."""
    name: str
    """The name as the lock has it."""
    top: bytes
    leaves: Mapping[str, bytes]
    """Digest of each manifest that has config and layers -> the manifest."""

    @property
    def blobs(self) -> dict[str, Descriptor]:
        """Config and layers of all leaves, by digest."""
        return {d.digest: d for m in self.leaves.values() for d in links(m, self.name)}


def create(
    lock_file: Path,
    output: Path,
    source: Source,
    source_map: SourceMap,
    report: Report,
    directories: Mapping[str, Path] | None = None,
) -> Bundle:
    """Make the bundle of ``lock_file`` at ``output``; what an interrupted run left in ``output``.partial is used.

    ``directories`` says where the weights of models that come from a directory lie, by the model's name.
    An ``output`` that already is this lock's bundle is returned as it is. Raises BadInput when it is another's,
    NoSpace before a blob is fetched, NotUpstream, RegistryRefused, Damaged.
    """
    if output.exists():
        bundle = Bundle.open(output)
        if bundle.contents.lock_sha256 == lock_sha256(lock_file):
            report.say(f"{output} is whole already")
            return bundle
        raise BadInput(str(output), "it is the bundle of another lock", "Give another --output, or move it away.")
    layout = Layout(output.with_name(output.name + PARTIAL))
    packing = Packing(layout, source_map, report, directories or {})
    making = _Making(layout, source, source_map, report, packing)
    making.run(lock_file)
    making.layout.path.rename(output)
    return Bundle.open(output)


@dataclass(frozen=True)
class _Making:
    layout: Layout
    source: Source
    source_map: SourceMap
    report: Report
    packing: Packing
    locks: dict[str, threading.Lock] = field(default_factory=dict)

    @property
    def work(self) -> Path:
        return self.layout.path / WORK

    def run(self, lock_file: Path) -> None:
        plan = Plan.of(Lock.read(lock_file))
        self.packing.check(plan.models)
        found = [
            *parallel(self._resolve_image(plan.platforms), plan.images),
            *parallel(self._resolve_chart, plan.charts),
            *parallel(self._resolve_evidence, [e for e in plan.evidence if e.kind != "index"]),
        ]
        missing = {d.digest: d.size for r in found for d in r.blobs.values() if not self.layout.has(d)}
        for abandoned in self.work.rglob("*.incomplete"):
            abandoned.unlink()  # huggingface-hub does not continue the download of another process.
        layers = [(m, f) for m in plan.models for f in m.files if not self.packing.layer(f)]
        total = sum(missing.values()) + sum(layer_size(f) for _, f in layers) + sum(r.file.size for r in plan.releases)
        # A model's file is on disk twice while its layer is written from it.
        require_space(self.layout.path, total + max((f.size for _, f in layers), default=0))
        self.work.mkdir(parents=True, exist_ok=True)
        for blob in {d for r in found for d in r.blobs}:
            self.locks[blob] = threading.Lock()
        self.report.begin("bundle create", total)
        entries = [
            *parallel(self._copy, found),
            *parallel(self._release, plan.releases),
            *parallel(self._upstream_index, [e for e in plan.evidence if e.kind == "index"]),
            *[self._model(m, plan.platforms) for m in plan.models],
        ]
        self._finish(lock_file, entries)

    def _resolve_image(self, platforms: list[str]) -> Callable[[LockedImage], Resolved]:
        def resolve(image: LockedImage) -> Resolved:
            upstream = Reference.parse(image.reference).with_digest(image.upstream_digest)
            content = self.source.raw_manifest(upstream)
            return self._resolved("image", image.reference, image.digest, cut(content, platforms) or content)

        return resolve

    def _resolve_chart(self, chart: LockedChart) -> Resolved:
        content = self.source.raw_manifest(Reference.parse(chart.reference).with_digest(chart.digest))
        return self._resolved("chart", chart.reference, chart.digest, content)

    def _resolve_evidence(self, evidence: LockedEvidence) -> Resolved:
        content = self.source.raw_manifest(Reference.parse(evidence.reference).with_digest(evidence.digest))
        return self._resolved("evidence", evidence.reference, evidence.digest, content)

    def _upstream_index(self, evidence: LockedEvidence) -> tuple[Kind, str, Descriptor]:
        """Upstream's own index, as a file: signatures are about it, and the carried one was cut from it."""
        reference = Reference.parse(evidence.reference)
        content = self.source.raw_manifest(reference.with_digest(evidence.subject))
        made = wrapped(reference, evidence.subject, content)
        if made.locked.digest != evidence.digest:
            raise Damaged(
                evidence.reference, f"it is {made.locked.digest}, the lock says {evidence.digest}", "Lock again."
            )
        self.layout.add(content, "application/octet-stream")
        self.layout.add(EMPTY, OCI_EMPTY)
        self.report.advance(len(content))
        return "evidence", evidence.reference, self.layout.add(made.manifest, OCI_MANIFEST)

    def _resolved(self, kind: Kind, name: str, locked: str, top: bytes) -> Resolved:
        if digest(top) != locked:
            raise Damaged(name, f"cut to the platforms it is {digest(top)}, the lock says {locked}", "Lock again.")
        reference = Reference.parse(name).with_digest(locked)
        if media_type(top, name) not in INDEXES:
            return Resolved(kind, reference, name, top, {locked: top})
        below = [d.digest for d in links(top, name)]
        return Resolved(
            kind, reference, name, top, {d: self.source.raw_manifest(reference.with_digest(d)) for d in below}
        )

    def _copy(self, item: Resolved) -> tuple[Kind, str, Descriptor]:
        for manifest_digest, manifest in item.leaves.items():
            wanted = {d.digest: d for d in links(manifest, item.name)}
            with ExitStack() as claimed:
                # Whoever comes second to a blob waits and then finds it; the order of the digests rules out a deadlock.
                for blob in sorted(d.digest for d in wanted.values() if not self.layout.has(d)):
                    claimed.enter_context(self.locks[blob])
                missing = [d for d in wanted.values() if not self.layout.has(d)]
                if missing:
                    scratch = self.work / f"copy-{threading.get_ident()}"
                    self.source.copy_blobs(item.reference.with_digest(manifest_digest), manifest, self.layout, scratch)
                    self.report.advance(sum(d.size for d in missing))
            self.layout.add(manifest, media_type(manifest, item.name))
        self.report.say(f"{item.kind} {item.reference}")
        return item.kind, item.name, self.layout.add(item.top, media_type(item.top, item.name))

    def _release(self, release: Release) -> tuple[Kind, str, Descriptor]:
        if not self.layout.has(release.layer):
            content = download(self.source_map.url(release.url))
            if hashlib.sha256(content).hexdigest() != release.file.sha256:
                raise Damaged(
                    release.url, f"it is {digest(content)}, the lock says {release.file.sha256}", "Lock again."
                )
            self.layout.add(content, YAML)
        self.report.advance(release.file.size)
        self.layout.add(EMPTY, OCI_EMPTY)
        self.report.say(f"manifest {release.url}")
        return "manifest", release.reference, self.layout.add(release.manifest, OCI_MANIFEST)

    def _model(self, model: LockedModel, platforms: list[str]) -> tuple[Kind, str, Descriptor]:
        top = self.packing.image(model, platforms)
        self.report.say(f"model {model.origin}@{model.revision}")
        return "model", model.reference, top

    def _finish(self, lock_file: Path, made: list[tuple[Kind, str, Descriptor]]) -> None:
        entries, named = describe(self.layout, made)
        self.layout.write_index(named)
        (self.layout.path / LOCK).write_bytes(lock_file.read_bytes())
        sha256 = lock_sha256(lock_file)
        write_atomically(self.layout.path / SBOM, sbom.text(Lock.read(lock_file), sha256))
        Contents(lock_sha256=sha256, entries=entries).write(self.layout.path / BUNDLE)
        self._prune({d.digest for top in named for d in self.layout.walk(top)})

    def _prune(self, reachable: set[str]) -> None:
        """Remove what earlier runs, other locks and skopeo's conversions left behind."""
        for path in self.layout.path.iterdir():
            if path.name not in TOP | {BLOBS}:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        for path in self.layout.blobs.glob("*/*"):
            if f"{path.parent.name}:{path.name}" not in reachable:
                path.unlink()


def require_space(directory: Path, needed: int) -> None:
    """Raise NoSpace unless the file system of ``directory`` (or of its nearest parent that exists) has room."""
    existing = next(p for p in [directory, *directory.absolute().parents] if p.exists())
    free = shutil.disk_usage(existing).free
    if free < needed + MARGIN:
        raise NoSpace(
            str(directory),
            f"{needed + MARGIN:,} bytes are needed and {free:,} are free",
            "Make room or write elsewhere.",
        )


def parallel(work: Callable[[T], U], items: Iterable[T]) -> list[U]:
    """``work`` on each of ``items``, several at once; the first failure stops what has not begun, and is raised."""
    pool = ThreadPoolExecutor(WORKERS)
    try:
        futures = [pool.submit(work, i) for i in items]
        done, _ = wait(futures, return_when=FIRST_EXCEPTION)
        for failed in (f for f in done if f.exception()):
            failed.result()
        return [f.result() for f in futures]
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
