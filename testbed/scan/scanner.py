"""What a scanner is here: a program that reads every object that it is given, and finds those that are bad."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

from components.documents import Document, key
from mirror import render
from mirror.errors import ChecksFailed, ToolMissing

from .findings import Finding, Scanned, joined
from .spread import Spread, spread
from .subjects import Subject

CONTENT = Path(__file__).with_name("content")
_PASSED_ON = ("PATH", "LANG", "LC_ALL")
_NO_WAY_OUT = {"HTTPS_PROXY": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
"""Scanners ask their makers' servers for newer versions of themselves: nobody answers at the discard port."""


@dataclass(frozen=True)
class Reading:
    """What a scanner said."""

    seen: frozenset[str]
    """Names of the files that it has shown to have read."""
    findings: list[Finding]


class Scanner(Protocol):
    """One third-party scanner."""

    @property
    def name(self) -> str:
        """What findings and exceptions call it."""

    @property
    def finds(self) -> tuple[tuple[str, str], ...]:
        """Rule and key of planted objects that it must find, or else it is blind and its silence says nothing."""

    def version(self) -> str:
        """What it calls itself."""

    def read(self, given: Spread, scratch: Path) -> Reading:
        """Scan ``given``. ``scratch`` is an empty directory of its own. Raises ToolMissing when it does not run."""


def scan(subject: Subject, scanner: Scanner) -> Scanned:
    """Scan ``subject`` with the planted objects beside it, and leave these out of the result.

    Raises ChecksFailed when the scanner did not read an object, or did not find what is planted.
    """
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="sealift-scan-") as directory:
        given = spread([*subject.documents, *planted()], Path(directory) / "objects")
        scratch = Path(directory) / "scratch"
        scratch.mkdir()
        reading = scanner.read(given, scratch)
    who = f"{scanner.name} on {subject.title}"
    if unseen := sorted(set(given.documents) - reading.seen):
        names = ", ".join(given.keys[u] for u in unseen[:5])
        raise ChecksFailed(who, f"it read all but {len(unseen)} of {len(given.documents)} objects: {names}", _BLIND)
    planted_keys = {key(d) for d in planted()}
    found = {(f.rule, f.object) for f in reading.findings}
    if missed := [f"{rule} in {thing}" for rule, thing in scanner.finds if (rule, thing) not in found]:
        raise ChecksFailed(who, f"it did not find what is wrong on purpose: {', '.join(missed)}", _BLIND)
    return Scanned(
        subject=subject.title,
        scanner=scanner.name,
        version=scanner.version(),
        objects=len(subject.documents),
        seconds=round(time.monotonic() - started, 1),
        findings=joined([f for f in reading.findings if f.object not in planted_keys]),
        keys=sorted({key(d) for d in subject.documents}),
    )


_BLIND = "Nothing can be concluded from such a scan: look at the scanner's own output, and mend the call."


@cache
def planted() -> tuple[Document, ...]:
    """The objects that are bad on purpose."""
    return tuple(render.release([CONTENT / "planted.yaml"]))


def run(command: Sequence[str | Path], home: Path, *, good: Sequence[int] = (0,)) -> str:
    """The standard output of ``command``, which has nothing of the user's environment but the path, and no way out.

    Raises ToolMissing when it cannot be started or ends with another status than the ``good`` ones.
    """
    words = [str(c) for c in command]
    environment = {k: v for k, v in os.environ.items() if k in _PASSED_ON} | {"HOME": str(home), **_NO_WAY_OUT}
    try:
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    except FileNotFoundError as e:
        raise ToolMissing(words[0], "it is not on PATH", "Run `sealift tools`, which makes it.") from e
    if done.returncode not in good:
        said = (done.stderr.strip() or done.stdout.strip())[-800:]
        raise ToolMissing(Path(words[0]).name, f"exit status {done.returncode}: {said}", "Look at its message.")
    return done.stdout
