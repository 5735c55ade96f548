"""The files of the site directory beside the receipt: charts and release YAML, out of the bundle."""

from __future__ import annotations

from pathlib import Path

from .atomic import write_bytes_atomically
from .bundle import Bundle
from .errors import Damaged
from .layout import CONTENT, digest
from .lock import LockedChart, LockedManifest, LockedPart
from .receipt import ReceivedFile, ReceivedPart
from .registry import chart_layer


def write_part(bundle: Bundle, part: LockedPart, site: Path) -> ReceivedPart:
    """Write the content of ``part`` below ``site``/content/<part>; raises Damaged.

    A chart becomes ``<chart>.tgz``, release YAML ``<NN>-<name>`` in the order of application.
    """
    content = part.content
    files = []
    if isinstance(content, LockedChart):
        manifest = bundle.layout.read(content.digest)
        archive = bundle.layout.read(chart_layer(manifest, content.reference).digest)
        name = content.reference.rpartition("/")[2].partition(":")[0]
        files = [_write(site, part.name, f"{name}.tgz", archive)]
    elif isinstance(content, LockedManifest):
        files = [
            _write(site, part.name, f"{n:02}-{f.name}", bundle.layout.read(f"sha256:{f.sha256}"))
            for n, f in enumerate(content.files, 1)
        ]
    return ReceivedPart(
        name=part.name,
        kind=content.kind,
        namespace=part.namespace,
        release=content.release if isinstance(content, LockedChart) else None,
        values=content.values if isinstance(content, LockedChart) else {},
        files=files,
        images=part.images,
    )


def _write(site: Path, part: str, name: str, content: bytes) -> ReceivedFile:
    if any(Path(n).name != n or n == ".." for n in (part, name)):
        raise Damaged(
            f"part {part!r}", f"{name!r} would be written outside the site directory", "Do not use this bundle."
        )
    path = Path(CONTENT) / part / name
    write_bytes_atomically(site / path, content)
    return ReceivedFile(path=str(path), sha256=digest(content).partition(":")[2])
