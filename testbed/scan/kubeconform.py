"""kubeconform (https://github.com/yannh/kubeconform): every object against the schema of its kind, nothing skipped."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mirror.errors import ToolMissing

from . import schemas
from .findings import Finding
from .scanner import Reading, run
from .spread import Spread

RULE = "schema"
_TITLE = "An object has the fields that its kind has, of the right type, and no others"


@dataclass(frozen=True)
class Kubeconform:
    """``directory`` holds the schemas, as :mod:`testbed.scan.schemas` lays them out."""

    directory: Path
    program: str | Path = "kubeconform"
    name: str = "kubeconform"
    finds: tuple[tuple[str, str], ...] = (
        (RULE, "deployment/sealift-planted/planted"),
        (RULE, "plant/sealift-planted/planted"),
    )

    def version(self) -> str:
        """As it says."""
        return run([self.program, "-v"], self.directory).strip().removeprefix("v")

    def read(self, given: Spread, scratch: Path) -> Reading:
        """See :class:`testbed.scan.scanner.Scanner`."""
        command: list[str | Path] = [self.program, "-output", "json", "-verbose"]
        command += ["-schema-location", f"{self.directory}/{schemas.LOCATION}", given.directory]
        return parse(run(command, scratch, good=(0, 1)), given)


def parse(output: str, given: Spread) -> Reading:
    """Read kubeconform's JSON. A kind without a schema is a finding, a skipped object has not been seen."""
    try:
        resources: list[dict[str, Any]] = json.loads(output)["resources"]
    except (ValueError, KeyError, TypeError) as e:
        raise ToolMissing("kubeconform", f"its output cannot be read: {output[-500:]}", "Look at its message.") from e
    judged = [r for r in resources if r["status"] in ("statusValid", "statusInvalid", "statusError")]
    findings = [
        Finding(scanner="kubeconform", rule=RULE, title=_TITLE, object=given.key_of(r["filename"]), message=_message(r))
        for r in judged
        if r["status"] != "statusValid"
    ]
    return Reading(frozenset(Path(r["filename"]).name for r in judged), findings)


def _message(resource: dict[str, Any]) -> str:
    """The innermost causes, which stand in the message only: its list of errors stops at the outermost."""
    _, *causes = str(resource["msg"]).split(" - at ")
    said = (c.strip() for c in causes)
    return "; ".join(c for c in said if not c.endswith(": validation failed")) or str(resource["msg"])
