"""The site's account of attempted egress, kept current in a file while the checks run."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mirror.atomic import write_atomically
from testbed.node import Cluster, EgressReport, Site, egress

CHECKS = "sealift-smoke"
"""The namespace of the smoke tests' own pods."""
_EVERY = 3.0  # seconds between two readings of the counters


class EgressAccount:
    """Writes ``path``, what ``sealift smoke --egress`` reads: on entering, every few seconds, and on leaving."""

    def __init__(self, site: Site, cluster: Cluster, path: Path) -> None:
        self.path = path
        self._site, self._cluster = site, cluster
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="egress-account", daemon=True)

    def write(self) -> EgressReport:
        """Read the counters now and write them."""
        seen = egress(self._site, self._cluster)
        write_atomically(self.path, json.dumps(account(seen), indent=2))
        return seen

    def __enter__(self) -> Self:
        self.write()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()
        self.write()

    def _keep(self) -> None:
        while not self._ended.wait(_EVERY):
            self.write()


def attempts(seen: EgressReport) -> dict[str, int]:
    """Packets that tried to leave, and how many of these the checks sent themselves to see that they cannot."""
    own = [a for a in seen.attempts if a.origin == "site" or f"{CHECKS}/" in a.origin]
    return {
        "packets that tried to leave": sum(a.packets for a in seen.attempts),
        "of these by the checks": sum(a.packets for a in own),
    }


def account(seen: EgressReport) -> dict[str, Any]:
    """``seen`` in the form that the checks read: packets and DNS questions, each with ``namespace/pod`` as source."""
    return {
        "packets": [
            {
                "source": _source(a.origin, a.source),
                "destination": a.destination,
                "protocol": a.protocol,
                "port": a.port,
                "packets": a.packets,
            }
            for a in seen.attempts
        ],
        "dns": [{"source": _source(q.origin, q.source), "name": f"{q.name}."} for q in seen.questions],
    }


def _source(origin: str, address: str) -> str:
    return address if origin == "unknown" else origin.removeprefix("pod ")
