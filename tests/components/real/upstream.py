"""Every part of the catalog as upstream publishes it, from the Go modules that the rehearsal is built from."""

from __future__ import annotations

import hashlib
from pathlib import Path

from components.site import Site
from components.size import SIZES
from mirror import discover, render
from mirror.catalog import Catalog, ChartSource, ManifestSource, Part
from mirror.lock import Excluded
from mirror.receipt import Receipt, ReceivedFile, ReceivedImage, ReceivedPart
from testbed.upstream import charts, modules, releases
from tests.api_server import program
from tests.components import harness

CATALOG = Path(__file__).resolve().parents[3] / "catalog" / "platform.yaml"


def real_site(directory: Path) -> Site:
    """A site that received the real charts and releases. Helm must be on PATH: rendering starts it by name."""
    catalog = Catalog.read(CATALOG)
    parts = [_received(p, directory) for p in catalog.parts if isinstance(p.source, ChartSource | ManifestSource)]
    excluded = [Excluded(value=e.value, reason=e.reason) for e in catalog.exclusions]
    images = {s for p in parts for s in _images(p, directory)} - {e.value for e in excluded}
    received: list[ReceivedImage] = [harness.received_image(i) for i in sorted(images | {harness.VLLM})]
    origin = harness.make_receipt(directory, parts=parts, images=received, exclusions=excluded)
    return Site(Receipt.read(origin), origin, harness.FakeCluster(), SIZES["small"])


def _received(part: Part, directory: Path) -> ReceivedPart:
    source = part.source
    content = _content(source)
    files = []
    for name, data in content.items():
        path = directory / "content" / part.name / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        sha256 = hashlib.sha256(data).hexdigest()
        files.append(ReceivedFile(path=str(path.relative_to(directory)), sha256=sha256))
    return ReceivedPart(
        name=part.name,
        kind=source.kind,
        namespace=part.namespace,
        release=source.release if isinstance(source, ChartSource) else None,
        values=source.values if isinstance(source, ChartSource) else {},
        files=files,
        images=[],
    )


def _content(source: ChartSource | ManifestSource) -> dict[str, bytes]:
    if isinstance(source, ManifestSource):
        texts = releases.texts(modules.directory, harness.digest)
        urls = [u.removeprefix("https://") for u in source.urls]
        return {u.rpartition("/")[2]: texts[u].encode() for u in urls}
    [chart] = [c for c in charts.CHARTS if c.repository == source.oci]
    archive = charts.packaged(chart, modules.directory(chart.module) / chart.path, Path(program("helm")))
    return {"chart.tgz": archive}


def _images(part: ReceivedPart, directory: Path) -> list[str]:
    files = [directory / f.path for f in part.files]
    if part.kind == "chart":
        release, namespace = part.release or part.name, part.namespace or "default"
        documents = render.chart(files[0], release=release, namespace=namespace, values=part.values, kubernetes="1.34")
    else:
        documents = render.release(files)
    return [str(s.reference) for d in documents for s in discover.find(d) if s.reference]
