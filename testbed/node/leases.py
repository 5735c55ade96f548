"""Which pod has which address, by the CNI library's own records: known before the API server knows it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from mirror.document import Strict

_YOUNG = 1_000_000_000  # nanoseconds


class Lease(Strict):
    """An address that a pod has been given."""

    namespace: str
    name: str
    address: str


class Records:
    """The records in ``cache``, read again only when they can have changed: to be looked at often."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._changed = 0
        self._leases: frozenset[Lease] = frozenset()

    def look(self) -> frozenset[Lease]:
        """The leases as they are now."""
        changed = self._cache.stat().st_mtime_ns if self._cache.exists() else 0
        # A record is written after its file is made: one that is young may not have been whole.
        if changed != self._changed or time.time_ns() - changed < _YOUNG:
            self._changed, self._leases = changed, current(self._cache)
        return self._leases


def current(cache: Path) -> frozenset[Lease]:
    """The leases in ``cache``, the directory of libcni's results (containernetworking/cni, libcni: cacheAdd)."""
    found: set[Lease] = set()
    for file in cache.iterdir() if cache.exists() else ():
        with suppress(FileNotFoundError, json.JSONDecodeError):  # just deleted, or not yet whole
            found.update(_leases(json.loads(file.read_text())))
    return frozenset(found)


def _leases(record: dict[str, object]) -> Iterable[Lease]:
    arguments = record.get("cniArgs")
    result = record.get("result")
    if isinstance(arguments, list) and isinstance(result, dict) and record.get("ifName") == "eth0":
        values = dict(arguments)
        for ip in result.get("ips", []):
            yield Lease(
                namespace=values["K8S_POD_NAMESPACE"],
                name=values["K8S_POD_NAME"],
                address=ip["address"].partition("/")[0],
            )
