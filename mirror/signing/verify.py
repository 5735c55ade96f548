"""Verifying who made a bundle, offline, by python-tuf's own client against a root that the site pinned.

Every way in which it can fail has its own message, because what to do differs: a forged bundle is kept as evidence,
an expired one is signed again, an older one is looked for among the couriers.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from msgspec import Struct

from ..errors import BadInput, SealiftError, Untrusted
from ..layout import METADATA
from . import roots
from .release import lacking, small_files
from .tuf_client import (
    BadVersionNumberError,
    DownloadError,
    DownloadHTTPError,
    ExpiredMetadataError,
    FetcherInterface,
    LengthOrHashMismatchError,
    Metadata,
    RepositoryError,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
    UnsignedMetadataError,
    Updater,
)

AGAIN = "Ask those who signed for it again, by another way."


class Verified(Struct, frozen=True):
    """A bundle whose signatures hold."""

    version: int
    root_version: int
    expires: datetime
    signers: list[str]
    """Identifiers of the keys that signed, sorted."""


def verify(bundle: Path, pinned: bytes, state: Path) -> Verified:
    """Verify the small files of ``bundle`` against the ``pinned`` root; raises Untrusted, BadInput.

    ``state`` is a directory that holds what was accepted before (it may be empty, and then nothing is older); the
    newly accepted metadata is written there, whatever comes of the files, as TUF's client does.
    """
    if not (bundle / METADATA).is_dir():
        raise Untrusted(str(bundle), "it is not signed", "Have it signed: sealift bundle sign.")
    before = _version(state / f"{Timestamp.type}.json")
    try:
        updater = Updater(str(state), "bundle:/metadata", fetcher=_Carried(bundle / METADATA), bootstrap=pinned)
        updater.refresh()
    except (RepositoryError, DownloadError) as e:
        raise _refusal(e, bundle / METADATA, state, before) from e
    targets = _accepted(state, Targets.type)
    try:
        _files(bundle, targets)
    except Untrusted as e:
        raise _twin(bundle, targets) or e from e
    timestamp, root = _accepted(state, Timestamp.type), _accepted(state, Root.type)
    signers = set.intersection(*(set(m.signatures) for m in (targets, timestamp)))
    return Verified(
        timestamp.signed.version,
        root.signed.version,
        min(timestamp.signed.expires, targets.signed.expires, root.signed.expires),
        sorted(signers & set(cast(Root, root.signed).roles[Targets.type].keyids)),
    )


def verify_once(bundle: Path, pinned: bytes) -> Verified:
    """Verify against ``pinned`` alone: nothing accepted before is known, so an older bundle passes until it expires."""
    with tempfile.TemporaryDirectory(prefix="sealift-trust-") as state:
        return verify(bundle, pinned, Path(state))


class _Carried(FetcherInterface):
    """Reads metadata out of the bundle where TUF's client would ask a server."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def _fetch(self, url: str) -> Iterator[bytes]:
        path = self._directory / urlsplit(url).path.rpartition("/")[2]
        if not path.is_file() or path.is_symlink():
            raise DownloadHTTPError(str(path), 404)
        yield path.read_bytes()


def _files(bundle: Path, targets: Metadata) -> None:  # type: ignore[type-arg]
    signed: dict[str, TargetFile] = cast(Targets, targets.signed).targets
    there = {f.name: f for f in small_files(bundle)}
    for name in sorted(signed.keys() ^ there.keys()):
        why = "it was signed and is not there" if name in signed else "it is there and was not signed"
        raise Untrusted(str(bundle / name), why, AGAIN)
    for name, file in there.items():
        if file.is_symlink():
            raise Untrusted(str(file), "it is a link", AGAIN)
        try:
            with file.open("rb") as f:
                signed[name].verify_length_and_hashes(f)
        except LengthOrHashMismatchError as e:
            why = f"it is not the file that was signed as version {targets.signed.version}: mixed or changed"
            raise Untrusted(str(file), why, AGAIN) from e


def _twin(bundle: Path, targets: Metadata) -> Untrusted | None:  # type: ignore[type-arg]
    """What to say where ``bundle`` is another one of the version that was accepted: TUF's client keeps the first."""
    with contextlib.suppress(OSError, RepositoryError):
        carried: Metadata = Metadata.from_bytes((bundle / METADATA / f"{Targets.type}.json").read_bytes())  # type: ignore[type-arg]
        if carried.signed_bytes != targets.signed_bytes:
            why = (
                f"another bundle was accepted here before as version {targets.signed.version}, as which this is signed"
            )
            instead = "Have it signed again, as a newer one: sealift bundle sign, without --version."
            return Untrusted(str(bundle), why, instead)
    return None


def _refusal(e: Exception, carried: Path, state: Path, before: int | None) -> SealiftError:
    given = str(carried.parent)
    root = cast(Root, _accepted(state, Root.type).signed) if (state / "root.json").exists() else None
    if isinstance(e, UnsignedMetadataError):
        return _unsigned(carried, root)
    if isinstance(e, ExpiredMetadataError):
        return _expired(e, carried, root)
    offered = {role: _version(carried / f"{role}.json") for role in (Timestamp.type, Snapshot.type, Targets.type)}
    newest = offered[Timestamp.type]
    if isinstance(e, BadVersionNumberError) and before is not None and newest is not None and newest < before:
        why = f"its version {newest} is older than {before}, which was accepted here before: rolled back"
        return Untrusted(given, why, "Use the newer bundle, or have this one signed again as the newest.")
    if isinstance(e, BadVersionNumberError | LengthOrHashMismatchError):
        said = ", ".join(f"{role} {version}" for role, version in offered.items())
        return Untrusted(given, f"its metadata was signed at different times: {said}: mixed", AGAIN)
    if isinstance(e, DownloadHTTPError):
        return Untrusted(str(e), "it is missing, so the signatures prove nothing", AGAIN)
    return Untrusted(given, f"its metadata cannot be read: {e}", AGAIN)


def _unsigned(carried: Path, root: Root | None) -> SealiftError:
    if root and (following := roots.path(carried, root.version + 1)).is_file():
        # TUF's client stops at the first root that does not hold, so the one after the last accepted is the culprit.
        why = f"it is not signed by enough of the keys of root {root.version} and of its own: wrong root"
        return Untrusted(str(following), why, AGAIN)
    for role in (Timestamp.type, Snapshot.type, Targets.type):
        with contextlib.suppress(OSError, RepositoryError):
            metadata: Metadata = Metadata.from_bytes((carried / f"{role}.json").read_bytes())  # type: ignore[type-arg]
            if root is None or not (few := lacking(root, role, metadata)):
                continue
            if "by 0 of" in few:
                nobody = "no key that the pinned root trusts has signed it: wrong key"
                return Untrusted(str(carried / f"{role}.json"), nobody, AGAIN)
            return Untrusted(str(carried / f"{role}.json"), f"{few}: too few", "Have the others sign it too.")
    return Untrusted(str(carried), "its signatures do not hold", AGAIN)


def _expired(e: Exception, carried: Path, root: Root | None) -> SealiftError:
    now = f"it is {datetime.now(UTC):%Y-%m-%d %H:%M} UTC by this machine's clock"
    if root and root.is_expired():
        return Untrusted(
            str(carried),
            f"root {root.version} expired on {root.expires:%Y-%m-%d}, and {now}",
            "Have the next root made (sealift key rotate) and the bundle signed with it.",
        )
    return Untrusted(
        str(carried.parent),
        f"its signatures expired ({e}), and {now}: frozen",
        "Ask for a newer bundle; have this one signed again if it is the newest; set the clock if it is wrong.",
    )


def _accepted(state: Path, role: str) -> Metadata:  # type: ignore[type-arg]
    return Metadata.from_bytes((state / f"{role}.json").read_bytes())


def _version(path: Path) -> int | None:
    with contextlib.suppress(OSError, RepositoryError):
        return int(Metadata.from_bytes(path.read_bytes()).signed.version)
    return None


def check_root(content: bytes, origin: str) -> Root:
    """The root in ``content``, signed by its own keys; raises BadInput, Untrusted."""
    try:
        metadata: Metadata[Root] = Metadata.from_bytes(content)
    except RepositoryError as e:
        raise BadInput(origin, "it is no TUF metadata", "Give a root.json, as `sealift key root` makes them.") from e
    if not isinstance(metadata.signed, Root):
        raise BadInput(origin, f"it is metadata of role {metadata.signed.type}", "Give a root.json.")
    # A root that follows another is signed by that one's keys too; alone, its own are what can be checked.
    if missing := roots.lacking(metadata, None):
        raise Untrusted(origin, missing, "Have it signed: sealift key endorse.")
    return metadata.signed
