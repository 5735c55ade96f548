"""The stack under rehearsal: a file of stacks/ as it is, with what the site makes different laid over it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from mirror.atomic import write_atomically
from mirror.errors import BadInput
from mirror.text import Loader, merged

from .operator import ROOT

OVERLAY = Path(__file__).with_name("site-stack.yaml")


def project(directory: Path) -> Path:
    """A Pulumi project in ``directory`` that is this one, but for the stack files, which the rehearsal writes there."""
    (directory / "stacks").mkdir(parents=True)
    for source in (ROOT / "Pulumi.yaml", ROOT / "policies", *(ROOT / "stacks").glob("*.py")):
        (directory / source.relative_to(ROOT)).symlink_to(source)
    return directory


def write(stack: str, project: Path, site: dict[str, Any], *, as_shipped: bool = False) -> None:
    """Write ``Pulumi.<stack>.yaml`` of ``project``: stacks/'s own, the overlay of this folder, then ``site``.

    ``as_shipped`` leaves the overlay out: for a preview that is only looked at. ``site`` holds what is only known once
    the site runs, by full key. Raises BadInput for a stack without a file.
    """
    source = ROOT / "stacks" / f"Pulumi.{stack}.yaml"
    if not source.is_file():
        known = ", ".join(sorted(p.name.split(".")[1] for p in source.parent.glob("Pulumi.*.yaml")))
        raise BadInput(f"stack {stack!r}", f"there is no {source.name} in stacks/", f"Name one of: {known}.")
    overlay = {} if as_shipped else _config(OVERLAY)
    config = merged(merged(_config(source), overlay), site)
    write_atomically(project / "stacks" / source.name, yaml.safe_dump({"config": config}, sort_keys=False))


def domain(stack: str) -> str:
    """The domain that the stack's own file says."""
    return str(_config(ROOT / "stacks" / f"Pulumi.{stack}.yaml")["sealift:domain"])


def _config(path: Path) -> dict[str, Any]:
    data: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), Loader)["config"]  # noqa: S506 - a safe loader
    return data
