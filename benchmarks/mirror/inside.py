"""The measured part of a run, in namespaces of its own: ``python -m benchmarks.mirror.inside RUN.json``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from mirror.atomic import write_atomically
from mirror.document import FileModel

from . import content
from .peers import Found, tool
from .rounds import Bench, Sample
from .table import Row, rows, text, verdicts

SKOPEO_MEMORY = Path("/var/lib/containers")
"""Where skopeo, as root, remembers in which registry a blob was seen."""


class Run(FileModel):
    """All that the command line and the machine decided."""

    work: Path
    upstream: Path
    json_file: Path | None
    repeat: int
    scale: float
    seed: str
    found: Found


def main(run: Run) -> int:
    """Make the content, measure, print the table."""
    _set_up()
    _say(f"content: {content.planned(run.scale) / 1e9:.2f} GB at scale {run.scale:g}, seed {run.seed!r}")
    made = content.make(run.upstream, run.scale, run.seed)
    bench = Bench(
        run.work,
        run.upstream,
        made,
        run.found.programs,
        run.found.source_registry,
        run.found.target_registry,
        _say,
        _forget,
    )
    samples = list(bench.all([tool(n) for n in run.found.tools], run.repeat))
    table = rows(samples, made)
    print(f"\n{report(run, made, samples, table)}")
    if run.json_file:
        data = {
            "scale": run.scale,
            "unique": made.unique,
            "versions": run.found.versions,
            "skipped": run.found.skipped,
            "samples": [s.model_dump(mode="json") for s in samples],
            "rows": [r.__dict__ for r in table],
        }
        write_atomically(run.json_file, json.dumps(data, indent=1) + "\n")
    return 1 if any(not s.measured for s in samples) else 0


def report(run: Run, made: content.Content, samples: list[Sample], table: list[Row]) -> str:
    """The table and what must be known to read it."""
    lines = [f"{made.unique / 1e9:.2f} GB unique in {len(made.images)} images, {run.repeat} repetitions, medians."]
    lines += ["1.0 = read over HTTP, hash and write each blob once; x = of the bytes that must move.", ""]
    lines += [text(table), "", *verdicts(table), ""]
    lines += [f"skipped {name}: {why}" for name, why in run.found.skipped.items()]
    lines += [f"failed {s.tool}, {s.step}: {s.failed.splitlines()[0]}" for s in samples if s.failed]
    return "\n".join([*lines, ", ".join(f"{n} {v}" for n, v in run.found.versions.items())])


def _set_up() -> None:
    """The loopback is down in a new network namespace."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def _forget() -> None:
    """Cover skopeo's memory with an empty file system, which this mount namespace takes with it when it ends."""
    if os.geteuid() == 0 and SKOPEO_MEMORY.is_dir():
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(SKOPEO_MEMORY)], check=True)


def _say(line: str) -> None:
    print(f"  {line}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main(Run.read(Path(sys.argv[1]))))
