"""sealift lock: the catalog resolved."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..progress import report
from ..progress import size as bytes_in_words
from ..source_map import SourceMap
from .options import DryRun, Json, SourceMapFile, WheelFile, show


def lock(
    catalog: Annotated[Path, typer.Option(help="Directory of the catalog's *.yaml.")] = Path("catalog"),
    source_map: SourceMapFile = None,
    output: Annotated[Path, typer.Option(help="The file to write.")] = Path("sealift.lock"),
    wheel: WheelFile = None,
    dry_run: DryRun = False,
    json_: Json = False,
) -> None:
    """Resolve the catalog: every tag to a digest, every image found, every licence and size known.

    Example: sealift lock --catalog catalog --output sealift.lock

    Example: sealift lock --wheel dist/sealift-0.1.0-py3-none-any.whl    (where the catalog sets up operators' machines)
    """
    from .. import resolve
    from ..catalog import Catalog
    from ..skopeo_source import sources

    mapped = SourceMap.read_optional(source_map)
    with report(events=json_) as progress:
        found = resolve.lock(Catalog.load(catalog), sources(mapped), mapped, progress, wheel)
    if not dry_run:
        found.write(output)
    size = sum(i.size for i in found.images)
    text = f"{len(found.parts)} parts, {len(found.images)} images ({bytes_in_words(size)}), {len(found.models)} models"
    if found.bootstrap:
        text += f", {len(found.bootstrap.tools)} tools, {len(found.bootstrap.wheels)} wheels"
    show(found.data(), text, json_)
