"""The whole scan: every subject by every scanner, two at a time, and the verdict."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

from rich.console import Console

from components.documents import Document, key
from mirror.errors import ChecksFailed
from testbed.toolchain import scanners as made
from testbed.toolchain.cache import cache_directory

from . import schemas, subjects
from .checkov import Checkov
from .exceptions import Exceptions, judge, reviewed
from .findings import Scanned
from .kics import Kics
from .kubeconform import Kubeconform
from .record import RECORD, Record, conclude
from .rights import Rights
from .scanner import Scanner, planted, scan
from .subjects import Subject

__all__ = ["RECORD", "run", "tell"]

_CRD = "CustomResourceDefinition"
_AT_ONCE = 2
_SHOWN = 20  # findings that the error names; scan.json has all


def run(
    files: Sequence[Path],
    openapi: Mapping[str, Any],
    exceptions: Path,
    *,
    partial: bool,
    say: Callable[[str], Any],
) -> Record:
    """Scan what is in ``files`` with everything and hold it against the ``exceptions`` file.

    ``openapi`` is the API server's own, version 2. Raises BadInput for files that cannot be used, ToolMissing for a
    scanner that does not run, and ChecksFailed for one that is blind.
    """
    today = datetime.now(UTC).date()
    accepted = reviewed(Exceptions.read(exceptions), today)
    given = [subjects.read(f) for f in files]
    with tempfile.TemporaryDirectory(prefix="sealift-schemas-") as directory:
        schemas.write(openapi, crds(given), Path(directory))
        scanned = list(_scan(types_once(given), _scanners(Path(directory), accepted), say))
    return conclude(scanned, accepted, judge(scanned, accepted, today), partial=partial)


def crds(given: Iterable[Subject]) -> list[Document]:
    """Every CRD of the subjects, and the planted one: types are one cluster's, whichever file they stand in."""
    documents = [d for s in given for d in s.documents]
    return [d for d in (*documents, *planted()) if d["kind"] == _CRD]


def types_once(given: Iterable[Subject]) -> list[Subject]:
    """The subjects without the CRDs that an earlier one has word for word: these take the longest, and stand alone."""
    seen: dict[str, Document] = {}
    cut = []
    for subject in given:
        cut.append(replace(subject, documents=tuple(d for d in subject.documents if seen.get(key(d)) != d)))
        seen |= {key(d): d for d in subject.documents if d["kind"] == _CRD}
    return cut


def tell(record: Record, console: Console) -> None:
    """The verdict in a sentence; raises ChecksFailed with what is open when it is bad."""
    for f in record.open:
        console.print(f"open: {f.scanner} {f.rule} {f.object}: {f.title}. {f.message}", markup=False)
    for p in record.problems:
        console.print(p, markup=False)
    findings = sum(len(s.findings) for s in record.scanned)
    if record.verdict == "failed":
        named = "; ".join([f"{f.rule} in {f.object}" for f in record.open[:_SHOWN]] + record.problems[:_SHOWN])
        raise ChecksFailed(
            "scan",
            f"{len(record.open)} open findings, {len(record.problems)} wrong exceptions: {named}",
            "Mend the object, or accept the finding in policies/exceptions.yaml with a reason and a day.",
        )
    objects = sum(s.objects for s in record.scanned if s.scanner == record.scanned[0].scanner)
    console.print(f"Passed: {objects} objects, {findings} findings, each accepted for a reason.", markup=False)


def _scanners(directory: Path, exceptions: Exceptions) -> list[Scanner]:
    cache = cache_directory()
    left_out = [r.rule for r in exceptions.left_out]
    built = cache / "bin"
    kics = Kics(made.queries(cache), left_out, program=built / "kics")
    return [Checkov(made.checkov(cache)), kics, Kubeconform(directory, program=built / "kubeconform"), Rights()]


def _scan(given: list[Subject], scanners: list[Scanner], say: Callable[[str], Any]) -> Iterable[Scanned]:
    pairs = list(product(given, scanners))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for s in pool.map(lambda pair: scan(*pair), pairs):
            say(f"{s.subject}: {s.scanner} {s.version}: {s.objects} objects, {len(s.findings)} findings, {s.seconds} s")
            yield s
