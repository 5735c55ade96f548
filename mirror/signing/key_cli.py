"""``sealift key``: thin. What signs is imported by the command that needs it: others start sooner."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from ..errors import BadInput
from .options import Days, DryRun, Json, KeyFiles, Passphrases, Roots
from .options import show as say

app = typer.Typer(no_args_is_help=True, help="Make, show and rotate the keys that sign bundles.")

RootKeys = Annotated[list[str], typer.Option("--root-key", metavar="KEY", help="May change the root; .pub is enough.")]
ReleaseKeys = Annotated[
    list[str], typer.Option("--release-key", metavar="KEY", help="May release bundles; .pub is enough.")
]


@app.command("create")
def create(
    path: Annotated[Path, typer.Argument(help="The file to make; its public half goes beside it, as .pub.")],
    algorithm: Annotated[str, typer.Option(help="ed25519 or ecdsa-p256.")] = "ed25519",
    passphrase_file: Passphrases = None,
    without_passphrase: Annotated[bool, typer.Option(help="Leave the key readable to whoever has the file.")] = False,
    dry_run: DryRun = False,
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
    if dry_run:
        keys.require_free(path)
        files = [str(path), f"{path}.pub"]
        say(
            {"files": files, "algorithm": algorithm, "encrypted": bool(found)},
            f"would write {' and '.join(files)}",
            json_,
        )
        return
    made = keys.create(path, algorithm, found[0] if found else None)  # type: ignore[arg-type]
    say(describe.key(made), f"{path}: {made.scheme} key {made.keyid}", json_)


@app.command("show")
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
        say(described, describe.root_text(described), json_)
        return
    key = keys.public(what, keys.given_passphrases(passphrase_file or []))
    say(describe.key(key), f"{key.scheme} key {key.keyid}\n{keys.pem(key)}", json_)


@app.command("root")
def root(
    root_key: RootKeys,
    release_key: ReleaseKeys,
    output: Annotated[Path, typer.Option(help="The directory of the chain of roots.")] = Path("roots"),
    root_threshold: Annotated[int, typer.Option(help="How many root keys must sign.")] = 1,
    release_threshold: Annotated[int, typer.Option(help="How many release keys must sign.")] = 1,
    days: Days = 365,
    passphrase_file: Passphrases = None,
    dry_run: DryRun = False,
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
    say(*describe.written(metadata, None, output, dry_run=dry_run), json_)


@app.command("rotate")
def rotate(
    roots_: Roots = Path("roots"),
    root_key: RootKeys = [],  # noqa: B006 - typer reads the default, nothing writes it
    release_key: ReleaseKeys = [],  # noqa: B006
    root_threshold: Annotated[int | None, typer.Option(help="How many root keys must sign; else as before.")] = None,
    release_threshold: Annotated[int | None, typer.Option(help="How many release keys must; else as before.")] = None,
    sign_with: Annotated[list[str] | None, typer.Option(metavar="KEY", help="Signs: old and new root keys.")] = None,
    days: Days = 365,
    passphrase_file: Passphrases = None,
    dry_run: DryRun = False,
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
    say(*describe.written(metadata, last, roots_, dry_run=dry_run), json_)


@app.command("endorse")
def endorse(
    file: Annotated[Path, typer.Argument(metavar="N.root.json", help="The root to sign, in its directory.")],
    key: KeyFiles,
    passphrase_file: Passphrases = None,
    dry_run: DryRun = False,
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
    say(*describe.written(metadata, previous, file.parent, dry_run=dry_run), json_)
