"""Whose signatures an image must have: rules of the catalog, and the lock's copy of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta

from ..record import Record
from ..reference import Reference


class Refused(Exception):
    """A signature that counts for nothing, and why."""


class Keyless(Record, frozen=True, kw_only=True):
    """A signer without a key of their own: a certificate of Fulcio's names who they were (https://docs.sigstore.dev)."""

    issuer: str
    """The OIDC issuer that vouched for them, such as ``https://accounts.google.com``."""
    identity: str | None = None
    """The whole mail address or URI in the certificate."""
    identity_pattern: str | None = None
    """A regular expression that the whole of it matches, where releases differ in it."""

    def __post_init__(self) -> None:
        """Raises ValueError for what says none or both, or no regular expression."""
        if (self.identity is None) == (self.identity_pattern is None):
            raise ValueError("give identity or identity_pattern, one of them")
        try:
            re.compile(self.identity_pattern or "")
        except re.error as e:
            raise ValueError(f"identity_pattern is no regular expression: {e}") from e

    def __str__(self) -> str:
        return f"{self.identity or self.identity_pattern} by {self.issuer}"


class SignatureRule(Record, frozen=True, kw_only=True):
    """Who must have signed the images of some names, or why nobody need have."""

    images: str
    """``registry/repository`` where ``*`` stands for anything inside one segment and ``**`` for anything at all."""
    keys: list[str] = []
    """Public keys in PEM; one of them must have signed."""
    keyless: list[Keyless] = []
    attestations: list[str] = []
    """Predicate types that one of them must have attested besides, such as ``https://slsa.dev/provenance/v1``."""
    unsigned: Annotated[str, Meta(min_length=10)] | None = None
    """Why these are carried without a signature."""

    def __post_init__(self) -> None:
        """Raises ValueError for what is no key, and unless it says either who signs or why nobody need."""
        if self.keys:
            from cryptography.hazmat.primitives.serialization import load_pem_public_key  # slow, and few have keys

            for key in self.keys:
                load_pem_public_key(key.encode())
        if bool(self.keys or self.keyless) == (self.unsigned is not None):
            raise ValueError("give keys or keyless, or say by unsigned why neither is needed")
        if self.unsigned and self.attestations:
            raise ValueError("attestations need keys or keyless")

    def covers(self, reference: Reference) -> bool:
        """Whether ``reference`` is of the names that this is about."""
        pieces = re.split(r"(\*\*|\*)", self.images)
        pattern = "".join({"**": ".*", "*": "[^/]*"}.get(p, re.escape(p)) for p in pieces)
        return re.fullmatch(pattern, reference.name) is not None


def rule_for(reference: Reference, rules: Sequence[SignatureRule]) -> SignatureRule | None:
    """The first of ``rules`` that covers ``reference``."""
    return next((r for r in rules if r.covers(reference)), None)
