"""The operator's side: every command runs inside the site's network namespace, as its user would type it."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mirror.layout import BOOTSTRAP
from testbed.node import Site

from .command import Counted, Show, follow, whole
from .timeline import Timeline

ROOT = Path(__file__).resolve().parents[2]
CHECKOUT = Path(sys.executable).with_name("sealift")
"""The command of the environment that runs the rehearsal."""


@dataclass(frozen=True)
class Operator:
    """Runs the operator's commands inside ``site`` and keeps what each said in ``logs/<log>.log``."""

    site: Site
    timeline: Timeline
    logs: Path
    project: Path
    """Where the Pulumi project lies."""
    environment: Mapping[str, str]
    command: Path = CHECKOUT
    """The ``sealift`` that is run."""

    def knowing(self, **variables: str) -> Operator:
        """The same operator with more in the environment."""
        return replace(self, environment={**self.environment, **variables})

    def sealift(self, *arguments: str | Path, log: str) -> str:
        """Run ``sealift``, the command that users have."""
        return self.run([self.command, *arguments], log=log)

    def bootstrapped(self, bundle: Path, prefix: Path) -> Operator:
        """Set up a machine below ``prefix`` from ``bundle``, with nothing but the system's own programs at hand.

        The operator that is returned runs the ``sealift`` of that machine. Raises CommandFailed.
        """
        home = prefix.with_name(f"{prefix.name}-home")
        home.mkdir()
        bare = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", f"HOME={home}"]
        self.run([*bare, "sh", bundle / BOOTSTRAP, "--prefix", prefix], log="bootstrap")
        asked = "sealift --version && helm version --short && kubectl version --client && pulumi version"
        self.run([*bare, "sh", "-ec", f". {shlex.quote(str(prefix / 'environment'))}; {asked}"], log="bootstrap")
        return replace(self, command=prefix / "bin" / "sealift")

    def pulumi(self, *arguments: str | Path, log: str) -> str:
        """Run the Pulumi CLI on the project, without questions."""
        words = ["pulumi", *arguments, "--cwd", self.project, "--non-interactive", "--color", "never"]
        return self.run(words, log=log, show=Counted())

    def ask(self, *command: str | Path) -> str:
        """The standard output of a quick command."""
        return self.site.run([str(c) for c in command], env=self.environment).stdout

    def kubectl_json(self, *arguments: str) -> Any:  # noqa: ANN401 - JSON of any shape
        """What ``kubectl ... --output json`` prints, parsed."""
        return json.loads(self.ask("kubectl", *arguments, "--output", "json"))

    def run(self, command: Sequence[str | Path], *, log: str, show: Show = whole) -> str:
        """Run ``command``; its lines are reported as they come. Raises CommandFailed on a non-zero exit status."""
        words = [str(c) for c in command]
        process = self.site.popen(words, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return follow(process, self.timeline, self.logs / f"{log}.log", show)
