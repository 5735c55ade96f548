"""The stack under rehearsal: a file of stacks/ as it is, with what the site makes different laid over it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from mirror.document import Loader, write_atomically
from mirror.errors import BadInput

from .operator import ROOT

OVERLAY = Path(__file__).with_name("site-stack.yaml")


def write(stack: str, output: Path, site: dict[str, Any]) -> Path:
    """Write ``Pulumi.<stack>.yaml`` into ``output``: stacks/'s own, the overlay of this folder, then ``site``.

    ``site`` holds what is only known once the site runs, by full key. Raises BadInput for a stack without a file.
    """
    source = ROOT / "stacks" / f"Pulumi.{stack}.yaml"
    if not source.is_file():
        known = ", ".join(sorted(p.name.split(".")[1] for p in source.parent.glob("Pulumi.*.yaml")))
        raise BadInput(f"stack {stack!r}", f"there is no {source.name} in stacks/", f"Name one of: {known}.")
    merged = merge(merge(_config(source), _config(OVERLAY)), site)
    path = output / source.name
    write_atomically(path, yaml.safe_dump({"config": merged}, sort_keys=False))
    return path


def merge(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """``over`` laid upon ``under``: mappings are joined key by key, everything else is replaced."""
    joined = dict(under)
    for key, value in over.items():
        below = joined.get(key)
        joined[key] = merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return joined


def _config(path: Path) -> dict[str, Any]:
    data: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), Loader)["config"]  # noqa: S506 - a safe loader
    return data
