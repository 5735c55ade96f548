"""What a site trusts: the root that its operator pinned, and what was accepted under it. Never taken from a bundle."""

from __future__ import annotations

import json
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import asdict

from ..atomic import write_atomically
from ..errors import BadInput, Untrusted
from .verify import Verified, check_root, verify

if TYPE_CHECKING:
    from .tuf_client import Root

PINNED = "pinned.root.json"
STATE = "accepted"
ACCEPTED = "accepted.json"
CLOCK_MARGIN = timedelta(minutes=10)
"""How far a clock may go back, by being set right, before a bundle is refused."""


class Accepted(Struct, frozen=True):
    """accepted.json: the newest bundle that was accepted, and when.

    Read by hand, though as strictly as the files of pydantic's: that takes longer to import than to verify a bundle.
    """

    bundle_version: int
    root_version: int
    at: datetime
    """UTC."""

    @classmethod
    def read(cls, path: Path) -> Accepted:
        """Read ``path``; raises BadInput."""
        try:
            data = json.loads(path.read_bytes())
            made = cls(data["bundle_version"], data["root_version"], datetime.fromisoformat(data["at"]))
            if (
                data != made.json()
                or made.at.tzinfo is None
                or {type(made.bundle_version), type(made.root_version)} != {int}
            ):
                raise ValueError("its fields are not bundle_version, root_version, at and version 1")
        except (OSError, ValueError, KeyError, TypeError) as e:
            raise BadInput(str(path), f"unreadable: {e}", "Restore it, or pin the root anew.") from e
        return made

    def json(self) -> dict[str, Any]:
        """Its JSON form."""
        return {"version": 1, **asdict(self), "at": self.at.isoformat().replace("+00:00", "Z")}

    def write(self, path: Path) -> None:
        """Write it atomically."""
        write_atomically(path, json.dumps(self.json(), indent=2) + "\n")


class Trust(Struct, frozen=True):
    """The directory of a site that holds its pinned root and what it accepted."""

    directory: Path

    @property
    def pinned(self) -> bytes:
        """The pinned root's bytes; raises BadInput when nothing is pinned."""
        path = self.directory / PINNED
        if not path.is_file():
            raise BadInput(
                str(self.directory),
                "no root of trust is pinned there",
                "Get root.json from those who sign, by another way than the bundle, and: sealift trust init root.json",
            )
        return path.read_bytes()

    def pin(self, root_file: Path, *, replace: bool = False, dry_run: bool = False) -> Root:
        """Pin the root in ``root_file``; ``replace`` forgets another that is pinned, with all that was accepted.

        With ``dry_run`` it is judged and nothing is written.

        Raises BadInput when another is pinned, Untrusted when the root is not signed by enough of its own keys.
        """
        try:
            content = root_file.read_bytes()
        except OSError as e:
            raise BadInput(str(root_file), e.strerror or str(e), "Give a readable root.json.") from e
        root = check_root(content, str(root_file))
        there = self.directory / PINNED
        if there.is_file() and there.read_bytes() != content:
            if not replace:
                raise BadInput(
                    str(there),
                    "another root is pinned",
                    "A root that follows it comes with the bundles. To trust other people: --replace-pinned-root.",
                )
            if not dry_run:
                shutil.rmtree(self.directory / STATE, ignore_errors=True)
                (self.directory / ACCEPTED).unlink(missing_ok=True)
        if not dry_run:
            write_atomically(there, content.decode())
        return root

    @property
    def accepted(self) -> Accepted | None:
        """What was accepted last, or None."""
        path = self.directory / ACCEPTED
        return Accepted.read(path) if path.is_file() else None

    def verify(self, bundle: Path, *, accept: bool = False) -> Verified:
        """Verify ``bundle``; raises Untrusted, BadInput.

        To ``accept`` it is to remember it, so that nothing older is accepted here again; only what held is remembered.
        """
        pinned, now = self.pinned, datetime.now(UTC)
        if self.accepted and now < self.accepted.at - CLOCK_MARGIN:
            raise Untrusted(
                f"clock {now:%Y-%m-%d %H:%M} UTC",
                f"a bundle was accepted here at {self.accepted.at:%Y-%m-%d %H:%M} UTC: the clock went back",
                "Set the clock: expiry means nothing without it.",
            )
        with tempfile.TemporaryDirectory(dir=self.directory, prefix=".verify-") as scratch:
            state = Path(scratch) / STATE
            if (self.directory / STATE).is_dir():
                shutil.copytree(self.directory / STATE, state, symlinks=True)
            state.mkdir(exist_ok=True)
            found = verify(bundle, pinned, state)
            if self.accepted and found.version < self.accepted.bundle_version:
                raise Untrusted(  # Only where the directory lost its state: TUF's client judges this before.
                    str(bundle),
                    f"{self.accepted.bundle_version} was accepted here before: rolled back",
                    "Use that one.",
                )
            if accept:
                self._keep(state, found, now)
        return found

    def _keep(self, state: Path, found: Verified, now: datetime) -> None:
        old = self.directory / f".{STATE}.old"
        shutil.rmtree(old, ignore_errors=True)
        if (self.directory / STATE).is_dir():
            (self.directory / STATE).rename(old)
        state.rename(self.directory / STATE)
        shutil.rmtree(old, ignore_errors=True)
        noted = Accepted(bundle_version=found.version, root_version=found.root_version, at=now.replace(microsecond=0))
        noted.write(self.directory / ACCEPTED)
