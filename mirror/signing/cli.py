"""The commands about keys, roots of trust and signatures: thin."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import BadInput

# What signs and verifies is imported by the command that needs it: the others start a fifth of a second sooner.
if TYPE_CHECKING:
    from .verify import Verified

DAYS = 90
"""How long a bundle's signatures hold unless something else is said: long enough to carry it, short enough to ask."""

key_app = typer.Typer(no_args_is_help=True, help="Make, show and rotate the keys that sign bundles.")
trust_app = typer.Typer(no_args_is_help=True, help="Pin whose bundles this site accepts.")

KeyFiles = Annotated[list[str], typer.Option("--key", metavar="KEY", help="Signs: a key file, or a pkcs11: URI.")]
Passphrases = Annotated[
    list[Path] | None,
    typer.Option("--passphrase-file", help="Holds a key file's passphrase; else $SEALIFT_KEY_PASSPHRASE does."),
]
Roots = Annotated[Path, typer.Option("--roots", help="The directory of the chain of roots.")]
RootFile = Annotated[
    Path | None, typer.Option(help="Verify against this root alone; nothing that was accepted before is known.")
]
TrustOption = Annotated[
    Path | None,
    typer.Option(metavar="DIRECTORY", help="What this site trusts and accepted before (sealift trust init)."),
]
TrustDirectory = Annotated[Path, typer.Option("--trust", help="The directory of what this site trusts.")]
Days = Annotated[int, typer.Option(help="Days until what is signed expires.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output and nothing else.")]
RootKeys = Annotated[list[str], typer.Option("--root-key", metavar="KEY", help="May change the root; .pub is enough.")]
ReleaseKeys = Annotated[
    list[str], typer.Option("--release-key", metavar="KEY", help="May release bundles; .pub is enough.")
]


@key_app.command("create")
def create(
    path: Annotated[Path, typer.Argument(help="The file to make; its public half goes beside it, as .pub.")],
    algorithm: Annotated[str, typer.Option(help="ed25519 or ecdsa-p256.")] = "ed25519",
    passphrase_file: Passphrases = None,
    without_passphrase: Annotated[bool, typer.Option(help="Leave the key readable to whoever has the file.")] = False,
    json_: Json = False,
) -> None:
    """Make a key pair. The private half is encrypted and readable to its owner only.

    Example: sealift key create keys/release.pem --passphrase-file release.pass
    """
    from . import describe, keys

    if algorithm not in ("ed25519", "ecdsa-p256"):
        raise BadInput(f"algorithm {algorithm}", "not known here", "Give ed25519 or ecdsa-p256.")
    found = keys.given_passphrases(passphrase_file or [])
    if bool(found) == without_passphrase:
        raise BadInput(
            str(path),
            "both a passphrase and --without-passphrase" if found else "no passphrase for it",
            "Give --passphrase-file or $SEALIFT_KEY_PASSPHRASE; or, on purpose, --without-passphrase.",
        )
    made = keys.create(path, algorithm, found[0] if found else None)  # type: ignore[arg-type]
    _print(describe.key(made), f"{path}: {made.scheme} key {made.keyid}", json_)


@key_app.command("show")
def show(
    what: Annotated[str, typer.Argument(help="A key file, a .pub file, a pkcs11: URI or a root.json.")],
    passphrase_file: Passphrases = None,
    json_: Json = False,
) -> None:
    """Say which key this is, or which keys a root names, with thresholds and dates: to be compared by eye.

    Example: sealift key show keys/release.pem.pub
    """
    from . import describe, keys, roots

    if what.endswith(".json"):
        described = describe.root(roots.read(Path(what)).signed)
        _print(described, describe.root_text(described), json_)
        return
    key = keys.public(what, keys.given_passphrases(passphrase_file or []))
    _print(describe.key(key), f"{key.scheme} key {key.keyid}\n{keys.pem(key)}", json_)


@key_app.command("root")
def root(
    root_key: RootKeys,
    release_key: ReleaseKeys,
    output: Annotated[Path, typer.Option(help="The directory of the chain of roots.")] = Path("roots"),
    root_threshold: Annotated[int, typer.Option(help="How many root keys must sign.")] = 1,
    release_threshold: Annotated[int, typer.Option(help="How many release keys must sign.")] = 1,
    days: Days = 365,
    passphrase_file: Passphrases = None,
    json_: Json = False,
) -> None:
    """Make the first root of trust, signed by those root keys that are given with their private half.

    Example: sealift key root --root-key a.pem --root-key b.pem.pub --root-threshold 2 --release-key r.pem.pub
    """
    from . import describe, keys, roots

    if roots.path(output, 1).exists():
        raise BadInput(str(roots.path(output, 1)), "it exists", "To follow it with another: sealift key rotate.")
    secrets = keys.given_passphrases(passphrase_file or [])
    powers = roots.Powers(
        [keys.public(k, secrets) for k in root_key],
        root_threshold,
        [keys.public(k, secrets) for k in release_key],
        release_threshold,
        roots.expiry(datetime.now(UTC), days),
    )
    metadata = roots.compose(powers, 1)
    roots.endorse(metadata, [keys.signer(k, secrets) for k in root_key if not k.endswith(".pub")], None)
    _print(*describe.written(metadata, None, output), json_)


@key_app.command("rotate")
def rotate(
    roots_: Roots = Path("roots"),
    root_key: RootKeys = [],  # noqa: B006 - typer reads the default, nothing writes it
    release_key: ReleaseKeys = [],  # noqa: B006
    root_threshold: Annotated[int | None, typer.Option(help="How many root keys must sign; else as before.")] = None,
    release_threshold: Annotated[int | None, typer.Option(help="How many release keys must; else as before.")] = None,
    sign_with: Annotated[list[str] | None, typer.Option(metavar="KEY", help="Signs: old and new root keys.")] = None,
    days: Days = 365,
    passphrase_file: Passphrases = None,
    json_: Json = False,
) -> None:
    """Make the root that follows the last one: other keys, other thresholds, or only a later date.

    The keys that are given replace all of their kind; a kind that is not given stays. Enough of the old root keys and
    of the new ones must sign, here (--sign-with) or elsewhere (sealift key endorse).

    Example: sealift key rotate --roots roots --release-key new.pem.pub --sign-with a.pem
    """
    from securesystemslib.signer import SSlibKey
    from tuf.api.metadata import Root, Targets

    from . import describe, keys, roots

    last = roots.chain(roots_)[-1].signed
    secrets = keys.given_passphrases(passphrase_file or [])

    def chosen(given: list[str], role: str) -> list[SSlibKey]:
        old = [last.keys[k] for k in last.roles[role].keyids]
        return [keys.public(k, secrets) for k in given] or [k for k in old if isinstance(k, SSlibKey)]

    powers = roots.Powers(
        chosen(root_key, Root.type),
        root_threshold or last.roles[Root.type].threshold,
        chosen(release_key, Targets.type),
        release_threshold or last.roles[Targets.type].threshold,
        roots.expiry(datetime.now(UTC), days),
    )
    metadata = roots.compose(powers, last.version + 1)
    roots.endorse(metadata, [keys.signer(k, secrets) for k in sign_with or []], last)
    _print(*describe.written(metadata, last, roots_), json_)


@key_app.command("endorse")
def endorse(
    file: Annotated[Path, typer.Argument(metavar="N.root.json", help="The root to sign, in its directory.")],
    key: KeyFiles,
    passphrase_file: Passphrases = None,
    json_: Json = False,
) -> None:
    """Add signatures to a root: each holder of a root key does it where their key is.

    Example: sealift key endorse roots/2.root.json --key b.pem
    """
    from . import describe, keys, roots

    metadata = roots.read(file)
    before = roots.path(file.parent, metadata.signed.version - 1)
    previous = roots.read(before).signed if before.exists() else None
    secrets = keys.given_passphrases(passphrase_file or [])
    roots.endorse(metadata, [keys.signer(k, secrets) for k in key], previous)
    _print(*describe.written(metadata, previous, file.parent), json_)


@trust_app.command("init")
def trust_init(
    root_file: Annotated[Path, typer.Argument(metavar="root.json", help="Not out of a bundle: by another way.")],
    trust: TrustDirectory = Path("trust"),
    replace_pinned_root: Annotated[bool, typer.Option(help="Trust other people from now on.")] = False,
    json_: Json = False,
) -> None:
    """Pin whose bundles this site accepts, and print the keys, to be compared with what those people say.

    Example: sealift trust init root.json --trust trust
    """
    from . import describe
    from .trust import Trust

    described = describe.root(Trust(trust).pin(root_file, replace=replace_pinned_root))
    _print(described, describe.root_text(described), json_)


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
    accepted = there.accepted.model_dump(mode="json") if there.accepted else None
    described = describe.root(pinned.signed)
    last = f"bundle {accepted['bundle_version']} at {accepted['at']}" if accepted else "nothing yet"
    _print({"pinned": described, "accepted": accepted}, f"{describe.root_text(described)}\naccepted: {last}", json_)


def sign(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="The bundle's directory.")],
    key: KeyFiles,
    roots_: Roots = Path("roots"),
    days: Days = DAYS,
    version: Annotated[int | None, typer.Option(help="Of the release; else the seconds since 1970.")] = None,
    add: Annotated[bool, typer.Option(help="Add to the signatures that are there: another holder's turn.")] = False,
    passphrase_file: Passphrases = None,
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
        made = release.countersign(bundle, signers)
    else:
        made = release.sign(bundle, roots_, signers, roots.expiry(now, days), version, now)
    data = {"version": made.version, "expires": made.expires.isoformat(), "files": made.files, "lacking": made.lacking}
    text = f"{bundle}: signed as version {made.version}, until {made.expires:%Y-%m-%d}"
    _print(data, f"{text}; {made.lacking}" if made.lacking else text, json_)


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


def _print(data: Any, text: str, as_json: bool) -> None:  # noqa: ANN401 - whatever JSON can say
    print(json.dumps(data, indent=2) if as_json else text)
