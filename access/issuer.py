"""The site's own issuer of API keys: a directory with its private key, its public keys, and what it has issued."""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey
from pydantic import Field

from mirror.atomic import write_atomically
from mirror.document import FileModel
from mirror.errors import BadInput

from . import jwks
from .jwks import Jwks
from .ledger import Issued, Ledger

ALGORITHM = "ES256"
"""ECDSA over P-256 (FIPS 186-5): the one signature that every proxy, library and hardware of today verifies."""
TENANT_CLAIM = "tenant"
KEY_FILE, JWKS_FILE, LEDGER_FILE = "issuer-key.json", "jwks.json", "issued.jsonl"
MOST_DAYS = 366
_TENANT = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class IssuerKey(FileModel):
    """The file with the private key. Whoever reads it can make keys for every tenant: mode 0600."""

    issuer: str
    """What the ``iss`` claim says, and the stack's ``access.issuers[].issuer``."""
    audience: str
    """What the ``aud`` claim says: the domain of the stack, so that a key of one environment opens no other."""
    key: dict[str, str] = Field(repr=False)
    """A private JSON Web Key with its ``kid``."""

    @classmethod
    def new(cls, issuer: str, audience: str) -> IssuerKey:
        """A new key, which nobody knows yet."""
        # No thumbprint: one in sixty-four begins with a dash, and a command line takes that for an option.
        kid = secrets.token_hex(8)
        made = ECKey.generate_key("P-256", {"use": "sig", "alg": ALGORITHM, "kid": kid})
        return cls(issuer=issuer, audience=audience, key={k: str(v) for k, v in made.as_dict(private=True).items()})

    @property
    def kid(self) -> str:
        """The id of the key that signs now."""
        return self.key["kid"]

    @property
    def public(self) -> dict[str, Any]:
        """The same key without what signs."""
        return dict(ECKey.import_key(dict(self.key)).as_dict(private=False))

    def sign(self, claims: dict[str, Any]) -> str:
        """A compact token of ``claims``."""
        return jwt.encode({"alg": ALGORITHM, "kid": self.kid}, claims, ECKey.import_key(dict(self.key)), [ALGORITHM])

    def token(self, tenant: str, lifetime: timedelta, *, now: datetime | None = None) -> tuple[str, Issued]:
        """A key for ``tenant`` that is valid from ``now`` (default: this moment) for ``lifetime``, and its record."""
        if not _TENANT.fullmatch(tenant):
            instead = "Use lower-case letters, digits and dashes, as the stack's tenants are named."
            raise BadInput(f"tenant {tenant!r}", "it cannot be a tenant's name", instead)
        since = (now or datetime.now(UTC)).replace(microsecond=0)
        record = Issued(id=secrets.token_hex(8), tenant=tenant, kid=self.kid, issued=since, expires=since + lifetime)
        claims = {"iss": self.issuer, "aud": self.audience, "sub": tenant, TENANT_CLAIM: tenant, "jti": record.id}
        times = {"iat": int(since.timestamp()), "exp": int(record.expires.timestamp())}
        return self.sign(claims | times), record


@dataclass(frozen=True)
class Issuer:
    """The issuer whose files lie in ``directory``."""

    directory: Path

    @property
    def ledger(self) -> Ledger:
        """What it has issued."""
        return Ledger(self.directory / LEDGER_FILE)

    def create(self, issuer: str, audience: str) -> IssuerKey:
        """Make the private key and the key set; raises BadInput where there already is one."""
        if self._key_file.exists():
            instead = "Rotate it with sealift access issuer rotate, or give another directory."
            raise BadInput(str(self._key_file), "there already is an issuer's key", instead)
        key = IssuerKey.new(issuer, audience)
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._write(key, {"keys": [key.public]})
        return key

    def key(self) -> IssuerKey:
        """The private key; raises BadInput."""
        return read_key(self._key_file)

    def jwks(self) -> Jwks:
        """The public keys: the one that signs first, then those whose tokens are still good. Raises BadInput."""
        return jwks.read(self._jwks_file)

    def rotate(self) -> IssuerKey:
        """Sign with a new key from now on. The old one's public half stays in the set until it is retired."""
        old, known = self.key(), self.jwks()
        new = IssuerKey.new(old.issuer, old.audience)
        self._write(new, {"keys": [new.public, *known["keys"]]})
        return new

    def retire(self, kid: str, *, dry_run: bool = False) -> list[str]:
        """Take ``kid`` out of the set, so that its tokens end; returns the kids that stay. Raises BadInput.

        With ``dry_run`` it stays in the set all the same.
        """
        known = self.jwks()
        if kid not in jwks.kids(known):
            raise BadInput(f"kid {kid!r}", "the set does not have it", f"It has: {', '.join(jwks.kids(known))}.")
        if kid == self.key().kid:
            raise BadInput(f"kid {kid!r}", "it is the one that signs", "Rotate first: sealift access issuer rotate.")
        left = {"keys": [k for k in known["keys"] if k.get("kid") != kid]}
        if not dry_run:
            write_atomically(self._jwks_file, _text(left))
        return jwks.kids(left)

    def issue(self, tenant: str, days: int, note: str = "") -> tuple[str, Issued]:
        """A key for ``tenant`` that is good for ``days``, entered in the ledger before it is handed out."""
        if not 1 <= days <= MOST_DAYS:
            instead = f"Give 1 to {MOST_DAYS}, and issue another before the last day."
            raise BadInput(f"--days {days}", "keys end, and none lasts longer than a year", instead)
        token, record = self.key().token(tenant, timedelta(days=days))
        record = record.model_copy(update={"note": note})
        self.ledger.add(record)
        return token, record

    @property
    def _key_file(self) -> Path:
        return self.directory / KEY_FILE

    @property
    def _jwks_file(self) -> Path:
        return self.directory / JWKS_FILE

    def _write(self, key: IssuerKey, public: Jwks) -> None:
        # The set first: a key that signs and that nobody can verify would be worse than one that is not used yet.
        write_atomically(self._jwks_file, _text(public))
        write_atomically(self._key_file, key.text(".json"), mode=0o600)


def read_key(path: Path) -> IssuerKey:
    """The private key in ``path``; raises BadInput, also when others than its owner may read it."""
    key = IssuerKey.read(path)
    if path.stat().st_mode & 0o077:
        raise BadInput(str(path), "others than its owner may read this private key", f"chmod 600 {path}; then rotate.")
    if "d" not in key.key or "kid" not in key.key:
        raise BadInput(
            str(path), "it holds no private key with a kid", "Give the file of sealift access issuer create."
        )
    return key


def _text(public: Jwks) -> str:
    return json.dumps(public, indent=2) + "\n"
