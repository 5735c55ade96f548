"""How an API server protects what it holds, read from what it tells: its metrics, and its answer to a nameless caller.

Metrics: https://kubernetes.io/docs/reference/instrumentation/metrics/. They are those of the one API server that
answered, since it started; behind a load balancer the others may differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from http import HTTPStatus
from typing import Literal

from .record import Record

Held = Literal["yes", "no", "cannot tell"]


class Name(StrEnum):
    """The protections, as the command calls them."""

    SECRETS_ENCRYPTED = "secrets-encrypted"
    AUDITED = "audited"
    CALLERS_NAMED = "callers-named"


ENCRYPTED = "k8s:enc:"
"""How everything in etcd begins that an EncryptionConfiguration encrypts."""
_SAMPLE = re.compile(r"^(\w+)(?:\{([^}]*)\})? (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_TRANSFORMATIONS = "apiserver_storage_transformation_operations_total"
_OBJECTS = ("apiserver_resource_objects", "apiserver_storage_objects")
_EVENTS = "apiserver_audit_event_total"


class Protection(Record, frozen=True, kw_only=True):
    """Whether one protection holds."""

    name: Name
    held: Held
    why: str
    """What the answer rests on, and what to do when it is not yes."""


def protections(metrics: str | None, nameless: int | None) -> list[Protection]:
    """All of them: from the text of /metrics (None: unreadable) and the HTTP status of a nameless GET /version."""
    return [secrets_encrypted(metrics), audited(metrics), callers_named(nameless)]


def secrets_encrypted(metrics: str | None) -> Protection:
    """Whether Secrets are encrypted before they are stored."""
    if metrics is None:
        return Protection(name=Name.SECRETS_ENCRYPTED, held="cannot tell", why=_UNREAD)
    moved = [(labels, n) for name, labels, n in _samples(metrics) if name == _TRANSFORMATIONS and n > 0]
    written = {
        labels["transformer_prefix"]
        for labels, _ in moved
        if (labels["resource"], labels["transformation_type"]) == ("secrets", "to_storage") and labels["status"] == "OK"
    }
    held, why = _encrypted(metrics, written, anything=bool(moved))
    return Protection(name=Name.SECRETS_ENCRYPTED, held=held, why=why)


def audited(metrics: str | None) -> Protection:
    """Whether an account is kept of what is done."""
    found = [n for name, _, n in _samples(metrics or "") if name == _EVENTS]
    if not found:
        return Protection(name=Name.AUDITED, held="cannot tell", why=_UNREAD)
    if found[0] > 0:
        return Protection(name=Name.AUDITED, held="yes", why=f"{found[0]:.0f} events since the API server started")
    why = "the API server has told no event since it started; give it an audit policy: sealift nodeconfig apiserver"
    return Protection(name=Name.AUDITED, held="no", why=why)


def callers_named(status: int | None) -> Protection:
    """Whether a caller who shows no credential is turned away (``status``: of such a GET /version)."""
    if status == HTTPStatus.UNAUTHORIZED:
        return Protection(name=Name.CALLERS_NAMED, held="yes", why="a caller without a name is answered 401")
    if status is None:
        return Protection(name=Name.CALLERS_NAMED, held="cannot tell", why="no answer to a caller without a name")
    why = f"a caller without a name is answered {status}, not 401; allow probes only: sealift nodeconfig apiserver"
    return Protection(name=Name.CALLERS_NAMED, held="no", why=why)


_UNREAD = "this account may not read the API server's /metrics, or they do not say"
_DO = "give the API server an EncryptionConfiguration: sealift nodeconfig apiserver"


def _encrypted(metrics: str, written: set[str], *, anything: bool) -> tuple[Held, str]:
    """Without an EncryptionConfiguration nothing is transformed at all, so that nothing is counted either.

    ``written`` are the prefixes of what was stored: "" in the clear; the names of keys are counted as prefixes too.
    """
    if "" in written:
        return "no", f"Secrets were stored in the clear since the API server started; {_DO}"
    if by := [p.removeprefix(ENCRYPTED).rstrip(":") for p in written if p.startswith(ENCRYPTED)]:
        return "yes", f"stored by {', '.join(sorted(by))}"
    if anything:
        return "cannot tell", "something is encrypted, but no Secret was stored since the start: make one, ask again"
    if any(n > 0 for name, labels, n in _samples(metrics) if name in _OBJECTS and labels.get("resource") == "secrets"):
        return "no", f"there are Secrets, and nothing of what is stored is encrypted; {_DO}"
    return "cannot tell", "no Secret was stored since the API server started: make one, and ask again"


def _samples(metrics: str) -> Iterator[tuple[str, dict[str, str], float]]:
    """Name, labels and value of each sample of the Prometheus text format."""
    for found in _SAMPLE.finditer(metrics):
        yield found[1], dict(_LABEL.findall(found[2] or "")), float(found[3])
