"""What the scanners get in a rehearsal: what the stack applied, what runs, and what the other shipped stack would."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mirror.atomic import write_atomically

from .operator import Operator

SHIPPED = ("dev", "prod")
"""The stacks whose every object is scanned, whether they are rehearsed or not."""
FULL = "dev"
"""The stack with a model of each mode: only beside it does every exception meet its object."""
_RUNS = "pods,deployments,networkpolicies,limitranges,resourcequotas"  # pods, and what bounds them


@dataclass(frozen=True)
class Scan:
    """The scan of one stack that is up. ``prepare`` writes the file of another stack, as it is shipped."""

    operator: Operator
    directory: Path
    prepare: Callable[[str], None]

    def run(self, stack: str, *, with_others: bool, output: Path) -> None:
        """``sealift scan``; the record is written to ``output``. ``with_others`` also previews the other stacks."""
        others = [s for s in SHIPPED if s != stack] if with_others else []
        files = [*self._applied(stack), *(self._previewed(s) for s in others)]
        openapi = self._kept("openapi.json", self.operator.ask("kubectl", "get", "--raw", "/openapi/v2"))
        arguments: list[str | Path] = ["scan", *files, "--openapi", openapi, "--output", output]
        arguments += ["--exceptions", self.operator.project / "policies" / "exceptions.yaml"]
        complete = with_others and stack == FULL
        self.operator.sealift(*arguments, *([] if complete else ["--partial"]), log=f"{stack}-scan")

    def _applied(self, stack: str) -> Iterator[Path]:
        ask, project = self.operator.ask, self.operator.project
        yield self._kept(
            f"{stack} as applied.json",
            ask("pulumi", "stack", "export", "--stack", stack, "--cwd", project, "--non-interactive"),
        )
        yield self._kept(
            f"{stack} as it runs.json", ask("kubectl", "get", _RUNS, "--all-namespaces", "--output", "json")
        )

    def _previewed(self, stack: str) -> Path:
        chosen: list[str | Path] = ["--stack", stack, "--cwd", self.operator.project, "--non-interactive"]
        self.prepare(stack)
        self.operator.ask("pulumi", "stack", "init", *chosen)
        said = self.operator.ask("pulumi", "preview", "--json", *chosen)
        self.operator.ask("pulumi", "stack", "rm", "--yes", *chosen)
        return self._kept(f"{stack} as previewed.json", said)

    def _kept(self, name: str, text: str) -> Path:
        write_atomically(self.directory / name, text)
        return self.directory / name
