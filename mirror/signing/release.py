"""Signing a bundle: TUF metadata over its small files, from which every blob is reached by digest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ..atomic import write_atomically
from ..errors import BadInput, Damaged
from ..layout import METADATA
from . import roots
from .tuf_client import Metadata, RepositoryError, Root, Snapshot, TargetFile, Targets, Timestamp

if TYPE_CHECKING:
    from securesystemslib.signer import Signer

ORDER = (Targets.type, Snapshot.type, Timestamp.type)
"""The order of writing: what vouches for the others comes last."""


@dataclass(frozen=True)
class Signed:
    """What was signed: ``lacking`` is None once enough keys have, else says how many are still wanted."""

    version: int
    expires: datetime
    files: list[str]
    lacking: str | None


def small_files(bundle: Path) -> Iterator[Path]:
    """What a signature covers: every file at the top of ``bundle``, sorted.

    Blobs and parts lie in directories; index.json, the lock and the list of parts name each of them by sha256.
    """
    yield from sorted(p for p in bundle.iterdir() if p.is_symlink() or not p.is_dir())


def sign(
    bundle: Path,
    root_directory: Path,
    signers: Sequence[Signer],
    expires: datetime,
    version: int | None,
    now: datetime,
    *,
    dry_run: bool = False,
) -> Signed:
    """Write ``bundle``/metadata: the chain of roots, and targets, snapshot and timestamp signed by ``signers``.

    ``version`` is by default the seconds since 1970, so whoever signs later signs the newer one, with no state to keep.
    With ``dry_run`` all is made and nothing written.

    Raises BadInput for a key that the last root does not name, Untrusted for a broken chain of roots.
    """
    chain = roots.chain(root_directory)
    number = int(now.timestamp()) if version is None else version
    targets = Targets(version=number, expires=expires)
    for file in small_files(bundle):
        if file.is_symlink() or not file.is_file():
            raise Damaged(str(file), "it is no regular file", "Make the bundle again.")
        targets.targets[file.name] = TargetFile.from_file(file.name, str(file), ["sha256"])
    snapshot = Snapshot(version=number, expires=expires)
    snapshot.meta[f"{Targets.type}.json"].version = number
    timestamp = Timestamp(version=number, expires=expires)
    timestamp.snapshot_meta.version = number
    made = {
        Targets.type: Metadata(targets),
        Snapshot.type: Metadata(snapshot),
        Timestamp.type: Metadata(timestamp),
    }
    _sign(cast("dict[str, Metadata]", made), chain[-1].signed, signers)  # type: ignore[type-arg]
    if not dry_run:
        for root in chain:
            roots.write(root, bundle / METADATA)
    return _written(cast("dict[str, Metadata]", made), chain[-1].signed, None if dry_run else bundle)  # type: ignore[type-arg]


def countersign(bundle: Path, signers: Sequence[Signer], *, dry_run: bool = False) -> Signed:
    """Add signatures to what others signed, elsewhere: how a threshold of people who never meet is reached."""
    chain = roots.chain(bundle / METADATA)
    made = {role: _read(bundle / METADATA / f"{role}.json") for role in ORDER}
    signed_files = cast(Targets, made[Targets.type].signed).targets
    for file in small_files(bundle):
        said = signed_files.get(file.name)
        if said is None or TargetFile.from_file(file.name, str(file), ["sha256"]).hashes != said.hashes:
            raise Damaged(str(file), "it is not the file that was signed", "Sign anew: sealift bundle sign.")
    _sign(made, chain[-1].signed, signers)
    return _written(made, chain[-1].signed, None if dry_run else bundle)


def lacking(root: Root, role: str, metadata: Metadata) -> str | None:  # type: ignore[type-arg]
    """How many more keys must sign ``metadata``, in words, or None."""
    result = root.get_verification_result(role, metadata.signed_bytes, metadata.signatures)
    if result.verified:
        return None
    return f"it is signed by {len(result.signed)} of the {result.threshold} keys that must"


def _sign(made: dict[str, Metadata], root: Root, signers: Sequence[Signer]) -> None:  # type: ignore[type-arg]
    for signer in signers:
        key = signer.public_key.keyid
        if key not in root.roles[Targets.type].keyids:
            raise BadInput(
                f"key {key[:16]}",
                f"root {root.version} does not name it as a release key",
                "Sign with a release key, or give it that power: sealift key rotate.",
            )
        for metadata in made.values():
            metadata.sign(signer, append=True)


def _written(made: dict[str, Metadata], root: Root, bundle: Path | None) -> Signed:  # type: ignore[type-arg]
    from tuf.api.serialization.json import JSONSerializer

    for role in ORDER:
        text = made[role].to_bytes(JSONSerializer(validate=True)).decode()
        if bundle:
            write_atomically(bundle / METADATA / f"{role}.json", text)
    targets = cast(Targets, made[Targets.type].signed)
    missing = lacking(root, Targets.type, made[Targets.type])
    return Signed(targets.version, targets.expires, sorted(targets.targets), missing)


def _read(path: Path) -> Metadata:  # type: ignore[type-arg]
    try:
        return Metadata.from_bytes(path.read_bytes())
    except (OSError, RepositoryError) as e:
        raise BadInput(str(path), str(e), "Sign the bundle first: sealift bundle sign.") from e
