"""What the rehearsal adds to the evidence of the smoke tests: its steps, what stood in for what, and the comparison."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from smoke_tests import outcome
from smoke_tests.evidence import EVIDENCE, Evidence, Section
from testbed.scan import record

from .comparison import Pulls
from .timeline import Step

_STEPS = "Wall time of each step. The machine's other work counts in it."
_STAND_INS = "No package registry carries the real ones here. Everything that is not listed is the real program."
_NOT_PULLED = "In the bundle and in the registry because something names them; no node has asked for them yet."


def add(directory: Path, steps: list[Step], stand_ins: Mapping[str, str], pulls: Pulls) -> None:
    """Add the tables to evidence.json and evidence.html in ``directory``, where the scan's record lies too.

    ``stand_ins`` maps the name of a real program or image to what was run in its place.
    """
    timed: list[list[str | int | float]] = [
        [s.name, s.result, f"{s.seconds:.1f}\u00a0s", ", ".join(f"{k} {v}" for k, v in s.facts.items())] for s in steps
    ]
    idle: list[list[str | int | float]] = [[n.reference, n.reason] for n in pulls.not_pulled]
    sections = [
        Section(title="The rehearsal", note=_STEPS, columns=["step", "result", "time", "found"], rows=timed),
        Section(
            title="Stand-ins",
            note=_STAND_INS,
            columns=["of", "what stands in"],
            rows=[list(x) for x in stand_ins.items()],
        ),
        Section(title="Discovered and not pulled", note=_NOT_PULLED, columns=["image", "why"], rows=idle),
    ]
    sections += record.sections(record.Record.read(directory / record.RECORD))
    evidence = Evidence.read(directory / EVIDENCE)
    outcome.write(evidence.with_sections(*sections), directory)
