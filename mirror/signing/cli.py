"""The commands about roots of trust and signatures: thin."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import BadInput
from ..layout import BOOTSTRAP
from .options import (
    DAYS,
    Days,
    DryRun,
    InventoryKeys,
    Json,
    KeyFiles,
    Passphrases,
    RootFile,
    Roots,
    TrustDirectory,
    TrustOption,
    show,
)

# What signs and verifies is imported by the command that needs it: the others start a fifth of a second sooner.
if TYPE_CHECKING:
    from ..inventory import Inventory
    from .verify import Verified

__all__ = ["InventoryKeys", "Passphrases", "RootFile", "Roots", "TrustOption", "trust_app"]

trust_app = typer.Typer(no_args_is_help=True, help="Pin whose bundles this site accepts.")


@trust_app.command("init")
def trust_init(
    root_file: Annotated[Path, typer.Argument(metavar="root.json", help="Not out of a bundle: by another way.")],
    trust: TrustDirectory = Path("trust"),
    replace_pinned_root: Annotated[bool, typer.Option(help="Trust other people from now on.")] = False,
    dry_run: DryRun = False,
    json_: Json = False,
) -> None:
    """Pin whose bundles this site accepts, and print the keys, to be compared with what those people say.

    Example: sealift trust init root.json --trust trust
    """
    from . import describe
    from .trust import Trust

    described = describe.root(Trust(trust).pin(root_file, replace=replace_pinned_root, dry_run=dry_run))
    text = describe.root_text(described)
    show(described, f"would pin\n{text}" if dry_run else text, json_)


@trust_app.command("show")
def trust_show(trust: TrustDirectory = Path("trust"), json_: Json = False) -> None:
    """Say which root is pinned and what was accepted last.

    Example: sealift trust show --trust trust
    """
    from tuf.api.metadata import Metadata, Root

    from . import describe
    from .trust import Trust

    there = Trust(trust)
    pinned: Metadata[Root] = Metadata.from_bytes(there.pinned)
    accepted = there.accepted.json() if there.accepted else None
    described = describe.root(pinned.signed)
    last = f"bundle {accepted['bundle_version']} at {accepted['at']}" if accepted else "nothing yet"
    show({"pinned": described, "accepted": accepted}, f"{describe.root_text(described)}\naccepted: {last}", json_)


def sign(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="The bundle's directory.")],
    key: KeyFiles,
    roots_: Roots = Path("roots"),
    days: Days = DAYS,
    version: Annotated[int | None, typer.Option(help="Of the release; else the seconds since 1970.")] = None,
    add: Annotated[bool, typer.Option(help="Add to the signatures that are there: another holder's turn.")] = False,
    passphrase_file: Passphrases = None,
    dry_run: DryRun = False,
    json_: Json = False,
) -> None:
    """Sign a bundle: anew, with a new version and date, or as one more holder of a release key (--add).

    Example: sealift bundle sign bundle --roots roots --key keys/release.pem
    """
    from . import keys, release, roots

    secrets = keys.given_passphrases(passphrase_file or [])
    signers = [keys.signer(k, secrets) for k in key]
    now = datetime.now(UTC)
    if add:
        made = release.countersign(bundle, signers, dry_run=dry_run)
    else:
        made = release.sign(bundle, roots_, signers, roots.expiry(now, days), version, now, dry_run=dry_run)
    data = {"version": made.version, "expires": made.expires.isoformat(), "files": made.files, "lacking": made.lacking}
    text = f"{bundle}: {'would be ' if dry_run else ''}signed as version {made.version}, until {made.expires:%Y-%m-%d}"
    show(data, "\n".join([f"{text}; {made.lacking}" if made.lacking else text, *told(bundle)]), json_)


def told(bundle: Path) -> list[str]:
    """What operators are told by another way than the bundle: the sum of the script that sets up their machines."""
    script = bundle / BOOTSTRAP
    if not script.is_file():
        return []
    found = hashlib.sha256(script.read_bytes()).hexdigest()
    return [f"sha256 of {script}, to be told to operators by another way: {found}"]


def sign_whole(bundle: Path, key: list[str], roots_: Path, passphrase_file: list[Path] | None) -> None:
    """Sign a bundle that was just made; raises BadInput."""
    from . import keys, release, roots

    secrets = keys.given_passphrases(passphrase_file or [])
    now = datetime.now(UTC)
    release.sign(bundle, roots_, [keys.signer(k, secrets) for k in key], roots.expiry(now, DAYS), None, now)


def summary(found: Verified | None) -> str:
    """Who vouches for a bundle, in words."""
    if not found:
        return "signatures not verified"
    return f"version {found.version} signed by {len(found.signers)} until {found.expires:%Y-%m-%d}"


def verified(bundle: Path, root_file: Path | None, trust: Path | None, *, accept: bool = False) -> Verified:
    """``bundle`` verified against a root in a file, or what the site trusts; raises Untrusted, BadInput.

    To ``accept`` it is to refuse anything older from then on (only where a trust directory remembers).
    """
    from .trust import Trust
    from .verify import verify_once

    if root_file:
        if not root_file.is_file():
            raise BadInput(str(root_file), "no such file", "Give a readable root.json.")
        return verify_once(bundle, root_file.read_bytes())
    return Trust(trust or Path("trust")).verify(bundle, accept=accept)


def inventory(path: Path, key: list[Path] | None) -> Inventory:
    """The inventory in ``path``, which one of the keys ``key`` must have signed when any is given.

    An inventory that somebody forged makes a delta that lacks something, which the load refuses with what is missing;
    so it need not be signed, but that is noticed on the other side of the gap only. Raises Untrusted, BadInput.
    """
    from ..inventory import Inventory

    if key:
        from . import detached, keys

        detached.verify(path, [keys.public(str(k)) for k in key])
    return Inventory.read(path)
