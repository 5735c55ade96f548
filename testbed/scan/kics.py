"""KICS (https://github.com/Checkmarx/kics): its queries for Kubernetes, RBAC among them, over all objects together."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mirror.errors import BadInput, ChecksFailed, ToolMissing

from .findings import Finding
from .scanner import Reading, run
from .spread import Spread

_COUNTS = {"files_failed_to_scan": 0, "queries_failed_to_execute": 0}


@dataclass(frozen=True)
class Kics:
    """``queries`` is the directory of its queries, which the program does not hold; ``left_out`` names some of them."""

    queries: Path
    left_out: Sequence[str] = ()
    program: str | Path = "kics"
    name: str = "kics"
    finds: tuple[tuple[str, str], ...] = (
        ("Container Is Privileged", "deployment/sealift-planted/planted"),
        ("Shared Host Network Namespace", "deployment/sealift-planted/planted"),
        ("Shared Host PID Namespace", "pod/sealift-planted/planted"),
        ("RBAC Wildcard In Rule", "clusterrole/sealift-planted"),
    )

    def version(self) -> str:
        """As it says, such as ``2.2.0``."""
        said = run([self.program, "version"], self.queries)
        return said.split()[-1].removeprefix("v")

    def read(self, given: Spread, scratch: Path) -> Reading:
        """See :class:`testbed.scan.scanner.Scanner`."""
        command: list[str | Path] = [self.program, "scan", "--path", given.directory, "--queries-path", self.queries]
        command += ["--type", "Kubernetes", "--disable-secrets", "--report-formats", "json", "--output-path", scratch]
        queries = self._ids()
        command += ["--ignore-on-exit", "results", "--ci", "--no-progress", "--no-color"]
        if self.left_out:
            command += ["--exclude-queries", ",".join(queries[name] for name in self.left_out)]
        run(command, scratch)
        output = (scratch / "results.json").read_text(encoding="utf-8")
        return parse(output, given, len(queries) - len(self.left_out))

    def _ids(self) -> dict[str, str]:
        """The ID of each query by its name; raises BadInput for one of ``left_out`` that there is not."""
        about = [json.loads(p.read_text(encoding="utf-8")) for p in self.queries.glob("*/metadata.json")]
        ids = {a["queryName"]: a["id"] for a in about}
        if unknown := sorted(set(self.left_out) - set(ids)):
            raise BadInput(f"rule {unknown[0]!r}", "KICS has no query of that name", "Name one as KICS's reports do.")
        return ids


def parse(output: str, given: Spread, queries: int) -> Reading:
    """Read KICS's JSON. It counts files and does not name them, so one that it lost is an error at once.

    ``queries`` is how many must have run. Raises ChecksFailed when a file or a query did not count.
    """
    try:
        data: dict[str, Any] = json.loads(output)
        counts = {n: data[n] for n in (*_COUNTS, "files_scanned", "files_parsed", "queries_total")}
        found = data["queries"]
    except (ValueError, KeyError, TypeError) as e:
        raise ToolMissing("kics", f"its output cannot be read: {output[-500:]}", "Look at its message.") from e
    files = len(given.documents)
    expected = {**_COUNTS, "files_scanned": files, "files_parsed": files, "queries_total": queries}
    if counts != expected:
        wrong = ", ".join(f"{n} is {counts[n]} and not {expected[n]}" for n in counts if counts[n] != expected[n])
        raise ChecksFailed("kics", wrong, "Nothing can be concluded from such a scan: look at KICS's own output.")
    findings = [
        Finding(
            scanner="kics",
            rule=q["query_name"],
            title=q["description"],
            object=given.key_of(f["file_name"]),
            message=f["actual_value"],
        )
        for q in found
        for f in q["files"]
    ]
    return Reading(frozenset(given.documents), findings)
