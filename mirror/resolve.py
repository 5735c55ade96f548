"""The catalog resolved into the lock: fetch, render, discover, resolve to digests, sum sizes.

Which images are wanted is decided by the pure functions of ``wanted``; this is the rim that reads from upstream.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

from . import licence_gate, licences, models, platforms, render
from .catalog import Catalog, ChartSource, ManifestSource, Part
from .errors import BadInput, NotUpstream
from .layout import INDEXES, digest, links, media_type
from .licence_gate import Verdict
from .lock import (
    Excluded,
    Lock,
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
from .registry import Source
from .source_map import SourceMap
from .wanted import Content, Wanted, key, unused_exclusions, wanted
from .web import download

AT_ONCE = 4
"""How many images are resolved at the same time; each costs a few small requests."""


def lock(catalog: Catalog, source: Source, source_map: SourceMap, report: Report | None = None) -> Lock:
    """Resolve ``catalog`` against upstream.

    Raises LicenceRefused before anything is fetched, Undiscovered for an image in a manifest that is neither known
    nor excluded, NotUpstream for what upstream lacks, and what ``source`` and the model hubs raise.
    """
    report = report or Silent()
    verdicts = check_licences(catalog)
    with tempfile.TemporaryDirectory(prefix="sealift-lock-") as scratch:
        contents = []
        for part in catalog.parts:
            report.say(f"part {part.name}")
            contents.append(fetch(part, catalog, source, source_map, Path(scratch) / part.name))
    for unused in unused_exclusions(catalog, contents):
        report.say(f"exclusion {unused!r} is found in no manifest")
    images = wanted(catalog, contents)
    locked = resolve_all(list(images.values()), catalog.platforms, source, report)
    locked_models = []
    for model in catalog.models:
        report.say(f"model {model.name}")
        locked_models.append(models.lock_model(model, source_map))
    return assemble(catalog, contents, images, locked, locked_models, licence_gate.needed(verdicts))


def check_licences(catalog: Catalog) -> list[Verdict]:
    """Refuse a catalog in which anything has a licence outside its own allow list; raises LicenceRefused, BadInput."""
    licences.check_list(catalog.licences)
    components = licence_gate.of_catalog(catalog)
    known = {c.name for c in components}
    for e in catalog.licence_exceptions:
        if e.component not in known:
            raise BadInput(
                f"licence exception {e.component!r}", "no part, runtime or model is called so", "Remove it, or mend it."
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
    documents = render.chart(
        source.pull_chart(pinned, directory),
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


def resolve_all(
    images: Sequence[Wanted], wanted_platforms: Sequence[str], source: Source, report: Report
) -> list[LockedImage]:
    """Every one of ``images`` by digest, in their order."""

    def one(image: Wanted) -> LockedImage:
        locked = resolve(image, wanted_platforms, source)
        report.say(f"image {locked.reference}@{locked.digest}")
        return locked

    with ThreadPoolExecutor(AT_ONCE) as pool:
        futures = [pool.submit(one, i) for i in images]
        try:
            return [f.result() for f in futures]
        finally:
            pool.shutdown(cancel_futures=True)


def resolve(image: Wanted, wanted_platforms: Sequence[str], source: Source) -> LockedImage:
    """``image`` as upstream serves it now, cut to the platforms; raises NotUpstream naming where it was met."""
    try:
        upstream = source.raw_manifest(image.reference)
        content = platforms.cut(upstream, wanted_platforms) or upstream
    except NotUpstream as e:
        raise NotUpstream(f"image {image.reference} (met at {'; '.join(sorted(image.found))})", e.why, e.instead) from e
    named = image.reference.with_digest(digest(upstream))
    sizes = _sizes(content, named, source)
    return LockedImage(
        reference=key(image.reference),
        digest=digest(content),
        upstream_digest=digest(upstream),
        media_type=media_type(content, str(named)),
        platforms=_platforms(image, content, wanted_platforms),
        size=len(content) + sum(sizes.values()),
        licence=" AND ".join(
            f"({x})" if " OR " in x and len(image.licences) > 1 else x for x in sorted(image.licences)
        ),
        found=sorted(image.found),
    )


def _platforms(image: Wanted, content: bytes, wanted_platforms: Sequence[str]) -> list[str]:
    """What the index says; a manifest without one is of a single platform and does not say which."""
    if media_type(content, str(image.reference)) in INDEXES:
        return sorted(platforms.platform(m) for m in json.loads(content)["manifests"])
    if len(wanted_platforms) > 1:
        raise NotUpstream(
            f"image {image.reference}",
            f"upstream has one image and no index, and {' and '.join(wanted_platforms)} are wanted",
            "Take one platform, or a tag that has an index.",
        )
    return []


def _sizes(manifest: bytes, named: Reference, source: Source) -> dict[str, int]:
    """Bytes of everything below ``manifest``, by digest: what stands in two platforms' images counts once."""
    below = links(manifest, str(named))
    sizes = {d.digest: d.size for d in below}
    if media_type(manifest, str(named)) in INDEXES:
        for d in below:
            sizes |= _sizes(source.raw_manifest(named.with_digest(d.digest)), named, source)
    return sizes


def assemble(
    catalog: Catalog,
    contents: Sequence[Content],
    images: Mapping[str, Wanted],
    locked: Sequence[LockedImage],
    locked_models: Sequence[LockedModel],
    exceptions: Sequence[LockedException] = (),
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
    )
