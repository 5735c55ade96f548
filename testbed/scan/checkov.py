"""checkov (https://www.checkov.io): rules for workloads, RBAC and network policies, without its online service."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mirror.errors import ToolMissing

from .findings import Finding
from .scanner import CONTENT, Reading, run
from .spread import Spread

_SEEN = "CKV2_SEALIFT_1"
_RULES = CONTENT / "checkov"


@dataclass(frozen=True)
class Checkov:
    """``program`` is checkov in the environment of its own."""

    program: Path
    name: str = "checkov"
    finds: tuple[tuple[str, str], ...] = (
        ("CKV_K8S_16", "deployment/sealift-planted/planted"),  # privileged
        ("CKV_K8S_19", "deployment/sealift-planted/planted"),  # host network
        ("CKV_K8S_17", "pod/sealift-planted/planted"),  # host PID
        ("CKV_K8S_49", "clusterrole/sealift-planted"),  # wildcard
    )

    def version(self) -> str:
        """Read off its package, which costs no second."""
        (found,) = self.program.parents[1].glob("lib/python*/site-packages/checkov-*.dist-info")
        return found.name.removeprefix("checkov-").removesuffix(".dist-info")

    def read(self, given: Spread, scratch: Path) -> Reading:
        """See :class:`testbed.scan.scanner.Scanner`."""
        command: list[str | Path] = [self.program, "--directory", given.directory, "--framework", "kubernetes"]
        # --skip-download: it would ask its makers' server for the severities of its rules.
        command += ["--external-checks-dir", _RULES, "--skip-download", "--compact", "--output", "json"]
        return parse(run(command, scratch, good=(0, 1)), given)


def parse(output: str, given: Spread) -> Reading:
    """Read checkov's JSON. What an annotation of an object skips is a finding too: exceptions have one place."""
    try:
        data: dict[str, Any] = json.loads(output)
        results = data["results"]
    except (ValueError, KeyError, TypeError) as e:
        raise ToolMissing("checkov", f"its output cannot be read: {output[-500:]}", "Look at its message.") from e
    every = [c for kind in ("passed_checks", "failed_checks", "skipped_checks") for c in results[kind]]
    seen = {Path(c["file_path"]).name for c in every if c["check_id"] == _SEEN}
    bad = [*results["failed_checks"], *results["skipped_checks"]]
    findings = [
        Finding(
            scanner="checkov",
            rule=c["check_id"],
            title=c["check_name"],
            object=given.key_of(c["file_path"]),
            message=_where(c),
        )
        for c in bad
    ]
    return Reading(frozenset(seen & set(given.documents)), findings)


def _where(check: dict[str, Any]) -> str:
    skipped = check["check_result"]["result"] == "SKIPPED"
    keys = [re.sub(r"/\[(\d+)\]", r"[\1]", k) for k in check["check_result"].get("evaluated_keys") or []]
    return "skipped by an annotation" if skipped else ", ".join(keys)
