"""Roots of trust: who may sign bundles, how many of them must, and how one set of people follows another.

A directory holds the chain ``1.root.json``, ``2.root.json``, ... Each is signed by enough keys of its own and of the
one before it (TUF specification, section 6.1), so a site that pinned any of them can follow to the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from ..atomic import write_atomically
from ..errors import BadInput, Untrusted
from .tuf_client import Metadata, RepositoryError, Root, Snapshot, Targets, Timestamp

if TYPE_CHECKING:
    from securesystemslib.signer import Signer, SSlibKey

SIGNED_BY_RELEASERS = (Targets.type, Snapshot.type, Timestamp.type)
"""Roles of those who release bundles. One set of keys holds all three: what crosses a gap is signed in one sitting,
so a separate online key for freshness, which TUF has for servers, would guard nothing."""


@dataclass(frozen=True)
class Powers:
    """Who may change the root, who may release bundles, how many of each must sign, and until when."""

    root_keys: Sequence[SSlibKey]
    root_threshold: int
    release_keys: Sequence[SSlibKey]
    release_threshold: int
    expires: datetime

    def check(self) -> None:
        """Raise BadInput for a threshold that cannot be met or means nothing."""
        for what, keys, threshold in (
            ("root", self.root_keys, self.root_threshold),
            ("release", self.release_keys, self.release_threshold),
        ):
            different = len({k.keyid for k in keys})
            if not 1 <= threshold <= different:
                raise BadInput(
                    f"{what} threshold {threshold}",
                    f"there are {different} different {what} keys",
                    "Give more keys, or a threshold from 1 to their number.",
                )


def expiry(now: datetime, days: int) -> datetime:
    """``days`` after ``now``, to the second; raises BadInput unless ``days`` is positive."""
    if days < 1:
        raise BadInput(f"{days} days", "it would be expired at once", "Give at least one day.")
    return now.replace(microsecond=0) + timedelta(days=days)


def compose(powers: Powers, version: int) -> Metadata[Root]:
    """The root of ``version`` that gives ``powers``; not yet signed. Raises BadInput."""
    powers.check()
    root = Root(version=version, expires=powers.expires, consistent_snapshot=False)
    for key in powers.root_keys:
        root.add_key(key, Root.type)
    root.roles[Root.type].threshold = powers.root_threshold
    for role in SIGNED_BY_RELEASERS:
        for key in powers.release_keys:
            root.add_key(key, role)
        root.roles[role].threshold = powers.release_threshold
    return Metadata(root)


def endorse(metadata: Metadata[Root], signers: Sequence[Signer], previous: Root | None) -> None:
    """Sign ``metadata`` with each of ``signers``; raises BadInput for a key that neither root names for this."""
    named = set(metadata.signed.roles[Root.type].keyids)
    named |= set(previous.roles[Root.type].keyids) if previous else set()
    for signer in signers:
        if signer.public_key.keyid not in named:
            raise BadInput(
                f"key {signer.public_key.keyid[:16]}",
                "neither this root nor the one before names it as a root key",
                "Sign with root keys; `sealift key show` prints which key is which.",
            )
        metadata.sign(signer, append=True)


def lacking(root: Metadata[Root], previous: Root | None) -> str | None:
    """What ``root`` still lacks to be valid, in words, or None."""
    result = root.signed.get_root_verification_result(previous, root.signed_bytes, root.signatures)
    if result.verified:
        return None
    parts = {"its own": result.second if previous else result.first}
    if previous:
        parts["the previous root's"] = result.first
    return "; ".join(
        f"{r.missing} more of {whose} root keys must sign ({', '.join(k[:16] for k in r.unsigned)})"
        for whose, r in parts.items()
        if not r.verified
    )


def path(directory: Path, version: int) -> Path:
    """Where the root of ``version`` lies."""
    return directory / f"{version}.root.json"


def read(file: Path) -> Metadata[Root]:
    """The root in ``file``, its signatures not yet checked; raises BadInput."""
    try:
        metadata: Metadata[Root] = Metadata.from_bytes(file.read_bytes())
    except OSError as e:
        raise BadInput(str(file), e.strerror or str(e), "Give a readable root.json.") from e
    except RepositoryError as e:
        raise BadInput(str(file), "it is no TUF metadata", "Give a root.json, as `sealift key root` makes them.") from e
    if not isinstance(metadata.signed, Root):
        raise BadInput(str(file), f"it is metadata of role {metadata.signed.type}", "Give a root.json.")
    return metadata


def chain(directory: Path) -> list[Metadata[Root]]:
    """Every root of ``directory`` from its first, each checked against the one before; raises BadInput, Untrusted."""
    numbers = sorted(int(f.name.partition(".")[0]) for f in directory.glob("[0-9]*.root.json"))
    if not numbers or numbers != list(range(numbers[0], numbers[-1] + 1)):
        raise BadInput(
            str(directory),
            f"it holds no unbroken chain of roots: {numbers or 'none'}",
            "Give the directory that `sealift key root` and `sealift key rotate` wrote.",
        )
    found: list[Metadata[Root]] = []
    for n in numbers:
        root = read(path(directory, n))
        if root.signed.version != n:
            raise BadInput(str(path(directory, n)), f"it says version {root.signed.version}", "Restore its name.")
        if missing := lacking(root, found[-1].signed if found else None):
            raise Untrusted(str(path(directory, n)), missing, "Have it signed: sealift key endorse.")
        found.append(root)
    return found


def write(metadata: Metadata[Root], directory: Path) -> Path:
    """Write a root under its version; returns where."""
    target = path(directory, metadata.signed.version)
    write_atomically(target, metadata.to_bytes().decode())
    return target
