"""What an issuer has issued: ids, tenants and days, never a key. From here the id of a key to revoke is known."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mirror.document import Strict, validate
from mirror.errors import BadInput


class Issued(Strict):
    """One key that was handed out. Times are UTC."""

    id: str
    """Its ``jti`` claim: what a stack's ``revoked`` names."""
    tenant: str
    kid: str
    """The issuer's key that signed it."""
    issued: datetime
    expires: datetime
    note: str = ""


@dataclass(frozen=True)
class Ledger:
    """The file ``path``: one JSON object a line, only ever appended to, mode 0600."""

    path: Path

    def add(self, record: Issued) -> None:
        """Append ``record``; it is on the disk when this returns."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "a", encoding="utf-8") as f:
            f.write(record.model_dump_json() + "\n")
            f.flush()
            os.fsync(f.fileno())

    def records(self, tenant: str | None = None) -> list[Issued]:
        """All records, or ``tenant``'s, oldest first; none where nothing was issued. Raises BadInput."""
        if not self.path.exists():
            return []
        lines = [line for line in self.path.read_text(encoding="utf-8").splitlines() if line.strip()]
        found = [_record(line, f"{self.path}, line {n}") for n, line in enumerate(lines, 1)]
        return [r for r in found if tenant in (None, r.tenant)]


def _record(line: str, origin: str) -> Issued:
    try:
        data = json.loads(line)
    except ValueError as e:
        raise BadInput(origin, f"it is not JSON: {e}", "Remove the broken line; the others stay good.") from e
    return validate(Issued, data, origin)
