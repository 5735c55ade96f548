"""Whether a load would change nothing: the same bundle as last time, the site as it was left, all in the registry.

What the last load read out of the bundle it noted by sha256. So the lock need not be parsed again, which with what
parses it takes longer than all the questions to the registry; those, and the signatures, are asked each time, and
answered while all else is read. Neither pydantic nor YAML is imported here.
"""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from .atomic import write_atomically
from .errors import SealiftError
from .layout import BUNDLE, FOR_OPERATORS, INDEX, LOADED, LOCK, PARTS_LIST, RECEIPT
from .reference import Reference, delivered
from .registry import Internal

_UNREADABLE = (OSError, ValueError, KeyError, TypeError, SealiftError)
FORMAT = 1
"""Raised when the same bundle gives another receipt than it gave before: then what older ones noted counts no more."""


class Note(Struct, frozen=True):
    """.loaded.json: that ``receipt`` was written for the whole of a bundle, by these sums."""

    registry: str
    bundle: dict[str, str]
    """Hex sha256 of the bundle's own files, from which all else in it follows."""
    receipt: str
    """Hex sha256 of receipt.json."""
    format: int
    """FORMAT, when it was written."""

    @classmethod
    def of(cls, bundle: Path, registry: str, site: Path) -> Note:
        """What would be noted of the files as they are; raises OSError."""
        names = [n for n in (BUNDLE, INDEX, LOCK, PARTS_LIST) if n != PARTS_LIST or (bundle / n).is_file()]
        return cls(registry, {n: _sha256(bundle / n) for n in names}, _sha256(site / RECEIPT), FORMAT)


class Standing(Struct, frozen=True):
    """A site that is as a load of the bundle would leave it, as far as its files say."""

    receipt: dict[str, Any]
    """receipt.json."""
    targets: frozenset[Reference]
    """What the registry then holds, by digest."""


def note(bundle: Path, registry: str, site: Path) -> None:
    """Note that all of ``bundle`` is in ``registry``, and that receipt.json of ``site`` says so."""
    write_atomically(site / LOADED, json.dumps(asdict(Note.of(bundle, registry, site)), indent=1) + "\n")


def standing(bundle: Path, registry: str, site: Path) -> Standing | None:
    """What stands at ``site`` if that is what loading ``bundle`` into ``registry`` would write; else None.

    Every file that a load writes is read and compared. What is missing or malformed gives None too: loading says why.
    """
    try:
        if json.loads((site / LOADED).read_bytes()) != asdict(Note.of(bundle, registry, site)):
            return None
        receipt = json.loads((site / RECEIPT).read_bytes())
        if any(_sha256(site / f["path"]) != f["sha256"] for p in receipt["parts"] for f in p["files"]):
            return None
        return Standing(receipt, frozenset(_targets(bundle, registry)))
    except _UNREADABLE:
        return None


def asked(bundle: Path, registry: str, internal: Internal) -> Future[set[Reference]] | None:
    """What of ``bundle`` the registry holds, byte for byte; it is being asked while the caller goes on.

    The result raises RegistryRefused. None when the bundle does not say what it holds: opening it says why.
    """
    try:
        wanted = _targets(bundle, registry)
    except _UNREADABLE:
        return None
    pool = ThreadPoolExecutor(1)
    answer = pool.submit(internal.held, wanted)
    pool.shutdown(wait=False)
    return answer


def _targets(bundle: Path, registry: str) -> list[Reference]:
    """What a load of ``bundle`` brings into ``registry``, by digest; raises what malformed files raise."""
    entries = [e for e in json.loads((bundle / BUNDLE).read_bytes())["entries"] if e["kind"] != FOR_OPERATORS]
    return [delivered(e["reference"], e["digest"], registry).pinned() for e in entries]


def _sha256(path: Path) -> str:
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()
