"""The evidence as one page that needs nothing but a browser: no script, no font, no picture from anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jinja2

from .evidence import CheckResult, Evidence, Group, Result
from .inventory import RunningImage

_TEMPLATE = "template.html.j2"
_SHOWN_ORDER = (Group.API, Group.SCALE_TO_ZERO, Group.MTLS, Group.EGRESS, Group.IMAGES, Group.HARDENING, Group.ATTACKS)


@dataclass(frozen=True)
class GroupTable:
    """The checks of one group, and what can be said of them together."""

    title: str
    checks: list[CheckResult]

    @property
    def result(self) -> Result:
        """Failed when one failed; passed when one passed."""
        found = {c.result for c in self.checks}
        return next(r for r in (Result.FAILED, Result.PASSED, Result.NOT_ASKED) if r in found)


@dataclass(frozen=True)
class ImageRow:
    """One digest, and where it runs."""

    upstream: str
    digest: str
    kind: str
    places: list[str]


def html(evidence: Evidence) -> str:
    """The page's text."""
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.filters["duration"] = duration
    template = environment.get_template(_TEMPLATE)
    return template.render(evidence=evidence, groups=list(group_tables(evidence)), images=image_rows(evidence.running))


def group_tables(evidence: Evidence) -> Iterator[GroupTable]:
    """The groups that have checks, in reading order."""
    for group in _SHOWN_ORDER:
        checks = [c for c in evidence.checks if c.group is group]
        if checks:
            yield GroupTable(group.heading, checks)


def image_rows(running: list[RunningImage]) -> list[ImageRow]:
    """What runs, joined by digest, sorted by upstream name."""
    rows: dict[tuple[str, str, str], list[str]] = {}
    for image in running:
        key = (image.upstream or image.image, image.digest, image.kind)
        place = f"{image.namespace}/{image.pod}: {image.name}"
        rows.setdefault(key, []).append(place)
    return [ImageRow(*key, places=places) for key, places in sorted(rows.items())]


def duration(seconds: float) -> str:
    """Seconds as people say them: ``40 ms``, ``1.2 s``, ``3 min 05 s``."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"
