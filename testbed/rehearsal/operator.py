"""The operator's side: every command runs inside the site's network namespace, as its user would type it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mirror.errors import SealiftError
from testbed.node.site import Site

from .timeline import Timeline

ROOT = Path(__file__).resolve().parents[2]


class CommandFailed(SealiftError):
    """A command of the rehearsal did not do what it should; its output is in the log that is named."""

    exit_code = 12


@dataclass(frozen=True)
class Operator:
    """Runs the operator's commands inside ``site`` and keeps what each said under ``logs``."""

    site: Site
    timeline: Timeline
    logs: Path
    environment: Mapping[str, str]

    def sealift(self, *arguments: str, log: str, expect: int = 0) -> str:
        """Run ``sealift`` and return its standard output; raises CommandFailed on another exit status."""
        return self.run([str(Path(sys.executable).with_name("sealift")), *arguments], log=log, expect=expect)

    def pulumi(self, *arguments: str, log: str) -> str:
        """Run the Pulumi CLI on the project, without questions."""
        return self.run(["pulumi", *arguments, "--cwd", str(ROOT), "--non-interactive"], log=log)

    def kubectl(self, *arguments: str, log: str = "kubectl") -> Any:  # noqa: ANN401 - JSON of any shape
        """Run ``kubectl ... --output json`` and return what it printed, parsed."""
        return json.loads(self.run(["kubectl", *arguments, "--output", "json"], log=log))

    def run(self, command: Sequence[str], *, log: str, expect: int = 0) -> str:
        """Run ``command`` inside the site; its lines are reported as they come and kept in ``logs/<log>.log``."""
        self.logs.mkdir(parents=True, exist_ok=True)
        path = self.logs / f"{log}.log"
        out: list[str] = []
        env = {**os.environ, **self.environment}
        with path.open("a", encoding="utf-8") as kept:
            kept.write(f"$ {' '.join(command)}\n")
            process = self.site.popen(list(command), env=env)
            assert process.stdout is not None
            for line in process.stdout:
                kept.write(line)
                out.append(line)
                if line.strip():
                    self.timeline.report(line.rstrip()[:150])
            status = process.wait()
        if status != expect:
            tail = "".join(out[-25:]).strip()
            raise CommandFailed(
                " ".join(command[:4]),
                f"exit status {status}, expected {expect}:\n{tail}",
                f"The whole output is in {path}.",
            )
        return "".join(out)
