"""What every container of the platform writes, searched for what must not be there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from .cluster import Cluster, Document

_AT_ONCE = 6
_MINUTES = 10


@dataclass(frozen=True)
class Log:
    """What one pod's containers wrote lately."""

    pod: str
    """``namespace/name``."""
    containers: tuple[str, ...]
    text: str
    """Each line after ``[pod/NAME/CONTAINER] ``, as kubectl prefixes it."""

    def telling(self, word: str) -> list[str]:
        """The containers that wrote ``word``."""
        found = (line for line in self.text.splitlines() if word in line)
        return sorted({line[1:].partition("]")[0] for line in found})


def all_of(cluster: Cluster, namespaces: Sequence[str]) -> list[Log]:
    """The logs of all pods of ``namespaces`` of the last ten minutes; pods that are gone meanwhile are left out."""
    pods = [p for n in namespaces for p in cluster.items("pods", "-n", n)]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return [log for log in pool.map(lambda p: _of(cluster, p), pods) if log]


def access_lines(log: Log) -> Iterator[dict[str, Any]]:
    """The lines of a proxy's access log."""
    for line in log.text.splitlines():
        _, _, said = line.partition("] ")
        if said.startswith("{"):
            try:
                entry = json.loads(said)
            except ValueError:
                continue
            if "response_code" in entry:
                yield entry


def _of(cluster: Cluster, pod: Document) -> Log | None:
    metadata, status = pod["metadata"], pod.get("status", {})
    started = [*status.get("containerStatuses", []), *status.get("initContainerStatuses", [])]
    names = tuple(c["name"] for c in started if "waiting" not in c["state"])
    if not names or "deletionTimestamp" in metadata:
        return None
    which = (metadata["name"], "-n", metadata["namespace"], "--prefix")
    return Log(f"{metadata['namespace']}/{metadata['name']}", names, cluster.logs(*which, minutes=_MINUTES))
