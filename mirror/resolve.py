"""The catalog resolved into the lock: fetch, render, discover, resolve to digests, sum sizes.

Which images are wanted is decided by the pure functions of ``wanted``; this is the rim that reads from upstream.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

from . import licence_gate, licences, model_files, models, render, unpack
from .bootstrap import requirements
from .bootstrap import resolve as bootstraps
from .catalog import Catalog, ChartSource, ManifestSource, Part
from .errors import BadInput
from .evidence.judge import Judge
from .layout import digest
from .lock import (
    Excluded,
    Lock,
    LockedBootstrap,
    LockedChart,
    LockedException,
    LockedFile,
    LockedImage,
    LockedImages,
    LockedManifest,
    LockedModel,
    LockedPart,
    LockedRuntime,
)
from .progress import Report, Silent
from .reference import Reference
from .registry import Source, pull_chart
from .resolve_images import resolve_all
from .source_map import SourceMap
from .wanted import Content, Wanted, key, unused_exclusions, wanted
from .web import download


def lock(
    catalog: Catalog, source: Source, source_map: SourceMap, report: Report | None = None, wheel: Path | None = None
) -> Lock:
    """Resolve ``catalog`` against upstream; ``wheel`` is the project's own where the catalog wants one that is given.

    Raises LicenceRefused before anything is fetched, Undiscovered for an image in a manifest that is neither known
    nor excluded, NotUpstream for what upstream lacks, and what ``source`` and the model hubs raise.
    """
    report = report or Silent()
    verdicts = check_licences(catalog)
    if catalog.bootstrap:
        bootstraps.check(catalog.bootstrap, wheel)
    elif wheel:
        raise BadInput(f"--wheel {wheel}", "the catalog has no section bootstrap", "Leave it out.")
    with tempfile.TemporaryDirectory(prefix="sealift-lock-") as scratch:
        contents = []
        for part in catalog.parts:
            report.say(f"part {part.name}")
            contents.append(fetch(part, catalog, source, source_map, Path(scratch) / part.name))
    for unused in unused_exclusions(catalog, contents):
        report.say(f"exclusion {unused!r} is found in no manifest")
    images = wanted(catalog, contents)
    judge = Judge(catalog.signatures, catalog.trusted_root)
    locked = resolve_all(list(images.values()), catalog.platforms, source, report, judge)
    locked_models = []
    for model in catalog.models:
        report.say(f"model {model.name}")
        found = models.lock_model(model, source_map, source, locked)
        if not model_files.licence_file(found):
            report.say(f"model {model.name} has no licence file; {found.licence} is what the catalog says")
        locked_models.append(found)
    bootstrap = _bootstrap(catalog, source_map, report, wheel)
    if bootstrap:
        judged = licence_gate.of_bootstrap(bootstrap)
        verdicts += licence_gate.judge(judged, catalog.licences, catalog.licence_exceptions, date.today())
        licence_gate.require(verdicts)
    return assemble(catalog, contents, images, locked, locked_models, licence_gate.needed(verdicts), bootstrap)


def _bootstrap(catalog: Catalog, source_map: SourceMap, report: Report, wheel: Path | None) -> LockedBootstrap | None:
    if catalog.bootstrap is None:
        return None
    with tempfile.TemporaryDirectory(prefix="sealift-lock-") as scratch:
        return bootstraps.lock(catalog.bootstrap, catalog.platforms, wheel, source_map, Path(scratch), report)


def check_licences(catalog: Catalog) -> list[licence_gate.Verdict]:
    """Refuse a catalog in which anything has a licence outside its own allow list; raises LicenceRefused, BadInput."""
    licences.check_list(catalog.licences)
    components = licence_gate.of_catalog(catalog)
    known = {c.name for c in components}
    if catalog.bootstrap:
        known |= {f"wheel {p.name}" for p in requirements.read(catalog.bootstrap.requirements)}
        known.add(f"wheel {catalog.bootstrap.project}")
    for e in catalog.licence_exceptions:
        if e.component not in known:
            raise BadInput(
                f"licence exception {e.component!r}",
                "no part, runtime, model, tool or wheel is called so",
                "Remove it, or mend it.",
            )
    verdicts = licence_gate.judge(components, catalog.licences, catalog.licence_exceptions, date.today())
    licence_gate.require(verdicts)
    return verdicts


def fetch(part: Part, catalog: Catalog, source: Source, source_map: SourceMap, directory: Path) -> Content:
    """The content of ``part``, downloaded into ``directory`` (made if there is any) and rendered."""
    if isinstance(part.source, ChartSource):
        return _fetch_chart(part, part.source, str(catalog.kubernetes), source, directory)
    if isinstance(part.source, ManifestSource):
        return _fetch_release(part, part.source, source_map, directory)
    images = sorted(key(Reference.parse(i)) for i in part.source.images)
    return Content(part, LockedImages(images=images))


def _fetch_chart(part: Part, chart: ChartSource, kubernetes: str, source: Source, directory: Path) -> Content:
    # A version's build metadata, "+x", is written "_x" in a tag: https://helm.sh/docs/topics/registries
    reference = Reference.parse(f"{chart.oci}:{chart.version.replace('+', '_')}")
    pinned = reference.with_digest(digest(source.raw_manifest(reference)))
    directory.mkdir(parents=True, exist_ok=True)
    archive = pull_chart(source, pinned, directory)
    unpack.check(archive, unpack.CHART)  # before helm unpacks it, here and everywhere after
    documents = render.chart(
        archive,
        release=chart.release,
        namespace=part.namespace or "default",
        values=chart.values,
        kubernetes=kubernetes,
    )
    locked = LockedChart(
        reference=str(reference), digest=str(pinned.digest), release=chart.release, values=chart.values
    )
    return Content(part, locked, documents)


def _fetch_release(part: Part, manifest: ManifestSource, source_map: SourceMap, directory: Path) -> Content:
    directory.mkdir(parents=True, exist_ok=True)
    files: list[LockedFile] = []
    paths: list[Path] = []
    for url in manifest.urls:
        content = download(source_map.url(url))
        name = urlsplit(url).path.rpartition("/")[2]
        if any(f.name == name for f in files):
            raise BadInput(f"part {part.name}", f"two of its URLs end in {name}", "Make two parts of them.")
        files.append(LockedFile(name=name, sha256=hashlib.sha256(content).hexdigest(), size=len(content)))
        paths.append(directory / name)
        paths[-1].write_bytes(content)
    return Content(part, LockedManifest(urls=manifest.urls, files=files), render.release(paths))


def assemble(
    catalog: Catalog,
    contents: Sequence[Content],
    images: Mapping[str, Wanted],
    locked: Sequence[LockedImage],
    locked_models: Sequence[LockedModel],
    exceptions: Sequence[LockedException] = (),
    bootstrap: LockedBootstrap | None = None,
) -> Lock:
    """The lock of everything resolved."""
    parts = [
        LockedPart(
            name=c.part.name,
            namespace=c.part.namespace,
            licence=c.part.licence,
            content=c.locked,
            images=sorted(k for k, image in images.items() if c.part.name in image.parts),
        )
        for c in contents
    ]
    runtimes = [
        LockedRuntime(name=r.name, engine=r.engine, accelerator=r.accelerator, image=key(Reference.parse(r.image)))
        for r in sorted(catalog.runtimes, key=lambda r: r.name)
    ]
    return Lock(
        kubernetes=str(catalog.kubernetes),
        platforms=sorted(catalog.platforms),
        parts=parts,
        images=sorted(locked, key=lambda i: i.reference),
        models=sorted(locked_models, key=lambda m: m.name),
        runtimes=runtimes,
        exclusions=[
            Excluded(value=e.value, reason=e.reason) for e in sorted(catalog.exclusions, key=lambda e: e.value)
        ],
        licence_exceptions=list(exceptions),
        signature_rules=catalog.signatures,
        trusted_root=catalog.trusted_root if any(r.keyless for r in catalog.signatures) else None,
        bootstrap=bootstrap,
    )
