"""The rules as a table for docs/security.md: ``python -m policies.table`` writes it there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from .rule import HERE, Rule, Where, rules

PAGE = HERE.parent / "docs" / "security.md"
BEGIN, END = "<!-- rules: written by python -m policies.table -->", "<!-- end of rules -->"
_WHERE: dict[Where, str] = {
    "guarded": "everywhere",
    "off-node": "everywhere but istio-cni",
    "tenants": "outside of the platform's namespaces",
    "models": "namespaces of models",
    "platform": "the platform's namespaces",
}


def table(listed: Sequence[Rule]) -> str:
    """One row for each rule."""
    head = ["rule", "what holds, and why", "where", "NSA/CISA", "CIS", "PSS"]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *map(_row, listed)))


def _row(rule: Rule) -> list[str]:
    clauses = [_lines(c) for c in (rule.clauses.nsa, rule.clauses.cis, rule.clauses.pss)]
    return [f"`{rule.name}`", f"{rule.sentence} {rule.reason}", _WHERE[rule.where], *clauses]


def written(page: str, listed: Sequence[Rule]) -> str:
    """``page`` with the table of ``listed`` between its two marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table(listed)}\n{END}{after}"


def _lines(clauses: Iterable[str]) -> str:
    return "<br>".join(re.sub(r"\s+", " ", c) for c in clauses) or "-"


def _write(page: Path) -> None:
    page.write_text(written(page.read_text(), rules()))


if __name__ == "__main__":
    _write(PAGE)
