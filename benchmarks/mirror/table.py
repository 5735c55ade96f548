"""From samples to one table: medians and bests, as multiples of the limit that was measured in the same repetition."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from .content import Content
from .measure import Measured
from .rounds import COPY, LIMIT, STEPS, Sample, Step

OURS = "sealift"
MB = 10**6
HEADINGS = ("wall", "best", "CPU", "registry", "disk", "RSS MB", "wire", "seconds")


@dataclass(frozen=True)
class Row:
    """One program at one step. ``wall``, ``best``, ``cpu`` and ``registry_cpu`` are multiples of the limit's."""

    step: Step
    tool: str
    wall: float
    best: float
    cpu: float
    registry_cpu: float
    disk: float
    wire: float
    """Multiples of the bytes that the step is about; MB where it is about none."""
    rss: float
    """MB."""
    seconds: float
    samples: int


def rows(samples: Sequence[Sample], content: Content) -> list[Row]:
    """A row for each step and program that succeeded at least once, each step's fastest first, the limit before all."""
    limits = {r: _limit(samples, r) for r in {s.repetition for s in samples}}
    made = []
    for step in STEPS:
        names = sorted({s.tool for s in samples if s.step == step and s.measured})
        found = [_row(step, n, samples, limits, about(step, content)) for n in names]
        made += sorted(found, key=lambda r: (r.tool not in (LIMIT, COPY), r.wall))
    return made


def about(step: Step, content: Content) -> int:
    """The bytes that cannot but move in ``step``."""
    if step in ("create", "load"):
        return content.unique
    return content.changed_bytes if step in ("create changed", "load changed") else 0


def text(table: Sequence[Row]) -> str:
    """The rows as lines, a blank one between two steps."""
    lines = [f"{'step':15} {'tool':12} " + " ".join(f"{h:>8}" for h in HEADINGS)]
    before: Step | None = None
    for r in table:
        if before and r.step != before:
            lines.append("")
        before = r.step
        unit = "x" if about_something(r.step) else "M"
        cells = [f"{r.wall:.3f}", f"{r.best:.3f}", f"{r.cpu:.3f}", f"{r.registry_cpu:.2f}" if r.registry_cpu else "-"]
        cells += [f"{r.disk:.2f}{unit}", f"{r.rss:.0f}", f"{r.wire:.2f}{unit}", f"{r.seconds:.2f}"]
        lines.append(f"{r.step:15} {r.tool:12} " + " ".join(f"{c:>8}" for c in cells))
    return "\n".join(lines)


def about_something(step: Step) -> bool:
    """Whether bytes have to move in ``step``."""
    return step not in ("load again", "inventory")


def verdicts(table: Sequence[Row]) -> list[str]:
    """A line for each step: ours beside the best peer's wall time."""
    said = []
    for step in STEPS:
        ours = [r for r in table if (r.step, r.tool) == (step, OURS)]
        peers = [r for r in table if r.step == step and r.tool not in (OURS, LIMIT, COPY)]
        if ours and peers:
            best = min(peers, key=lambda r: r.wall)
            how = "ahead of" if ours[0].wall < best.wall else "BEHIND"
            said.append(f"{step}: {how} the best peer ({best.tool}): {ours[0].wall / best.wall:.2f} of its time")
    return said


def _row(step: Step, tool: str, samples: Sequence[Sample], limits: dict[int, Measured], needed: int) -> Row:
    found = [(s.repetition, s.measured) for s in samples if (s.step, s.tool) == (step, tool) and s.measured]

    def ratios(value: Callable[[Measured], float], to: Callable[[Measured], float]) -> list[float]:
        return [value(m) / to(limits[r]) for r, m in found]

    walls = ratios(lambda m: m.wall, lambda m: m.wall)
    return Row(
        step=step,
        tool=tool,
        wall=median(walls),
        best=min(walls),
        cpu=median(ratios(lambda m: m.cpu, lambda m: m.cpu)),
        registry_cpu=median(ratios(lambda m: m.registry_cpu, lambda m: m.cpu)),
        disk=max(m.disk for _, m in found) / (needed or MB),
        wire=median(m.wire for _, m in found) / (needed or MB),
        rss=max(m.rss for _, m in found) / MB,
        seconds=median(m.wall for _, m in found),
        samples=len(found),
    )


def _limit(samples: Sequence[Sample], repetition: int) -> Measured:
    """The median limit of a repetition: it is measured before each program's turn."""
    found = [s.measured for s in samples if s.tool == LIMIT and s.repetition == repetition and s.measured]
    return Measured(
        wall=median(m.wall for m in found),
        cpu=median(m.cpu for m in found),
        registry_cpu=0,
        rss=max(m.rss for m in found),
        disk=max(m.disk for m in found),
        wire=max(m.wire for m in found),
    )
