"""sealift licences: the verdicts of the licence gate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..lock import Lock
from .options import Json, show


def licences(
    catalog: Annotated[Path, typer.Option(help="Directory of the catalog's *.yaml; its allow list judges.")] = Path(
        "catalog"
    ),
    lock: Annotated[Path | None, typer.Option(help="Judge what this lock carries, not the catalog.")] = None,
    json_: Json = False,
) -> None:
    """Judge each component's licence against the allow list, with the reason; ends with code 5 when one is refused.

    Example: sealift licences --catalog catalog --lock sealift.lock
    """
    from datetime import date

    from .. import licence_gate as gate
    from ..catalog import Catalog

    rules = Catalog.load(catalog)
    components = gate.of_lock(Lock.read(lock)) if lock else gate.of_catalog(rules)
    verdicts = gate.judge(components, rules.licences, rules.licence_exceptions, date.today())
    rows = "\n".join(f"{'may' if v.allowed else 'MAY NOT'}  {v.component}: {v.licence}: {v.because}" for v in verdicts)
    if not json_:
        print(rows)
    gate.require(verdicts)
    if json_:
        show({"verdicts": [v.data() for v in verdicts]}, "", json_)
