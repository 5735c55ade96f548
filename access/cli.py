"""``sealift access``: the site's own issuer of API keys. Keys go to standard output or a file, never into a log."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from mirror.atomic import write_atomically
from mirror.errors import BadInput

app = typer.Typer(no_args_is_help=True, help="Make and rotate the site's issuer; issue and look at API keys.")
issuer_app = typer.Typer(no_args_is_help=True, help="The issuer: its private key, its public keys.")
key_app = typer.Typer(no_args_is_help=True, help="API keys of tenants.")
app.add_typer(issuer_app, name="issuer")
app.add_typer(key_app, name="key")

Directory = Annotated[Path, typer.Option("--issuer", metavar="DIRECTORY", help="The issuer's directory.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output and nothing else.")]
HERE = Path("access")


@issuer_app.command("create")
def issuer_create(
    domain: Annotated[str, typer.Option(help="The stack's domain: only its gateway takes the keys.")],
    name: Annotated[str | None, typer.Option(help="What keys call their issuer. Default: keys.DOMAIN.")] = None,
    issuer: Directory = HERE,
    json_: Json = False,
) -> None:
    """Make an issuer: a private key that only its owner can read, and the public keys for the stack.

    Example: sealift access issuer create --domain models.internal --issuer access
    """
    from .issuer import JWKS_FILE, KEY_FILE, Issuer

    key = Issuer(issuer).create(name or f"keys.{domain}", domain)
    _print(
        {"issuer": key.issuer, "audience": key.audience, "kid": key.kid, "jwks": str(issuer / JWKS_FILE)},
        f"{issuer / KEY_FILE}: keep it from everybody who may not make keys\n"
        f"{issuer / JWKS_FILE}: for the stack, as access.issuers[].jwks; issuer: {key.issuer}",
        json_,
    )


@issuer_app.command("show")
def issuer_show(issuer: Directory = HERE, json_: Json = False) -> None:
    """The issuer's name, its public keys, and how many API keys are alive.

    Example: sealift access issuer show --issuer access
    """
    from datetime import UTC, datetime

    from . import jwks
    from .issuer import Issuer

    opened = Issuer(issuer)
    key, kids, now = opened.key(), jwks.kids(opened.jwks()), datetime.now(UTC)
    alive = {k: sum(r.kid == k and r.expires > now for r in opened.ledger.records()) for k in kids}
    lines = [f"{k}  {alive[k]} keys alive{'  signs' if k == key.kid else ''}" for k in kids]
    _print(
        {"issuer": key.issuer, "audience": key.audience, "signs": key.kid, "alive": alive},
        "\n".join([f"{key.issuer} for {key.audience}", *lines]),
        json_,
    )


@issuer_app.command("rotate")
def issuer_rotate(issuer: Directory = HERE, json_: Json = False) -> None:
    """Sign with a new key from now on; keys that were issued before stay good until their old one is retired.

    Run pulumi up before a new key is handed out: the gateway has to know the new public key.

    Example: sealift access issuer rotate --issuer access
    """
    from . import jwks
    from .issuer import Issuer

    key = Issuer(issuer).rotate()
    kids = jwks.kids(Issuer(issuer).jwks())
    _print({"signs": key.kid, "kids": kids}, f"{key.kid} signs; the set holds {len(kids)}. Now: pulumi up", json_)


@issuer_app.command("retire")
def issuer_retire(
    kid: Annotated[str, typer.Argument(metavar="KID", help="Of the old public key (sealift access issuer show).")],
    issuer: Directory = HERE,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say how many keys would end, and end none.")] = False,
    json_: Json = False,
) -> None:
    """Take an old public key out of the set: after the next pulumi up every API key that it signed is refused.

    Example: sealift access issuer retire Gvwx3O4g2AN6n4Y2opYGi3gJJ34ZwG1ZGKcvnw7q4fs --issuer access
    """
    from datetime import UTC, datetime

    from .issuer import Issuer

    opened, now = Issuer(issuer), datetime.now(UTC)
    ended = [r.id for r in opened.ledger.records() if r.kid == kid and r.expires > now]
    kids = opened.retire(kid, dry_run=dry_run)
    if dry_run:
        _print({"kids": kids, "end": ended}, f"{len(ended)} keys that are alive would end; {len(kids)} stay", json_)
        return
    _print({"kids": kids, "end": ended}, f"{kid} is out of the set; it holds {len(kids)}. Now: pulumi up", json_)


@key_app.command("issue")
def key_issue(
    tenant: Annotated[str, typer.Option(help="Whose key it is; by name in the stack's tenants.")],
    days: Annotated[int, typer.Option(help="How long it is good: 1 to 366.")],
    note: Annotated[str, typer.Option(help="For the issuer's record, such as who asked for it.")] = "",
    issuer: Directory = HERE,
    output: Annotated[Path | None, typer.Option(help="A file for the key (mode 0600) instead of stdout.")] = None,
    json_: Json = False,
) -> None:
    """Issue an API key. It is shown once; the issuer keeps its id, its tenant and its last day, not the key.

    Example: sealift access key issue --tenant research --days 90 --output research.key
    """
    from .issuer import Issuer

    token, record = Issuer(issuer).issue(tenant, days, note)
    if output:
        write_atomically(output, token + "\n", mode=0o600)
    about = {"id": record.id, "tenant": tenant, "expires": record.expires.isoformat()}
    where = {"file": str(output)} if output else {"key": token}
    said = f"key {record.id} of {tenant}, good until {record.expires:%Y-%m-%d %H:%M} UTC"
    if not json_:
        print(said, file=sys.stderr)  # beside the key, so that KEY=$(sealift access key issue ...) holds the key alone
    _print(about | where, str(output) if output else token, json_)


@key_app.command("show")
def key_show(
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="Holds the key. Default: stdin.")] = None,
    issuer: Directory = HERE,
    json_: Json = False,
) -> None:
    """What a key says, and whether this issuer signed it. Read from a file or stdin: arguments are seen by others.

    Example: sealift access key show research.key
    """
    from .issuer import Issuer
    from .token import show

    shown = show(_given(file), Issuer(issuer).jwks())
    about: dict[str, Any] = {"signed by this issuer": shown.verified, "expired": shown.expired(), "kid": shown.kid}
    about |= shown.claims | ({"expires": shown.expires.isoformat()} if shown.expires else {})
    _print(about, "\n".join(f"{k}: {str(v).lower() if isinstance(v, bool) else v}" for k, v in about.items()), json_)


@key_app.command("list")
def key_list(
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's.")] = None,
    issuer: Directory = HERE,
    json_: Json = False,
) -> None:
    """The keys that were issued: ids (for access.issuers[].revoked), tenants, last days.

    Example: sealift access key list --tenant research
    """
    from .issuer import Issuer

    records = Issuer(issuer).ledger.records(tenant)
    lines = [f"{r.id}  {r.tenant:20} until {r.expires:%Y-%m-%d}  {r.note}".rstrip() for r in records]
    _print({"keys": [r.model_dump(mode="json") for r in records]}, "\n".join(lines), json_)


def _given(file: Path | None) -> str:
    if file is None:
        return sys.stdin.read()
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, ValueError) as e:
        raise BadInput(str(file), str(e), "Give a file that holds a key, or the key on standard input.") from e


def _print(data: dict[str, Any], text: str, as_json: bool) -> None:
    print(json.dumps(data, indent=2) if as_json else text)
