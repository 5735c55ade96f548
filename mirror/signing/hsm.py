"""Keys in a hardware module, named by a PKCS#11 URI and used through securesystemslib's HSM signer.

Source of the syntax: RFC 7512. Understood are ``token``, ``id`` (percent-encoded bytes), ``module-path`` and
``pin-source`` (a file). A PIN in the URI itself (``pin-value``) is refused: process lists would show it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, unquote_to_bytes

from securesystemslib.exceptions import UnsupportedLibraryError
from securesystemslib.signer import HSMSigner, Signature, SSlibKey

from ..errors import BadInput, ToolMissing
from .tuf_client import with_pkcs11

SCHEME = "pkcs11:"
PIN = "SEALIFT_HSM_PIN"
"""The environment variable that holds the PIN, where no ``pin-source`` does."""
MODULE = "PYKCS11LIB"
"""The environment variable that securesystemslib reads the module's path from."""
_KNOWN = {"token", "id", "object", "type", "module-path", "pin-source"}
EXAMPLE = "pkcs11:token=sealift;id=%01?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/run/pin"


@dataclass(frozen=True)
class Address:
    """A key in a token."""

    uri: str
    identifier: int
    """The key's CKA_ID, big-endian."""
    token: str | None
    module: str
    """Path of the PKCS#11 library."""
    pin_file: Path | None

    @classmethod
    def parse(cls, uri: str) -> Address:
        """Parse a PKCS#11 URI; raises BadInput."""
        path, _, query = uri.removeprefix(SCHEME).partition("?")
        pairs = [p.partition("=") for p in [*path.split(";"), *query.split("&")] if p]
        given = {name: value for name, _, value in pairs}
        if "pin-value" in given:
            raise BadInput(
                "pkcs11: URI", "it holds the PIN, which process lists would show", f"Give pin-source, or {PIN}."
            )
        if unknown := sorted(given.keys() - _KNOWN):
            raise BadInput(uri, f"{', '.join(unknown)} is not understood here", f"Write it like {EXAMPLE}")
        module = unquote(given.get("module-path", "")) or os.environ.get(MODULE, "")
        if not given.get("id") or not module:
            why = "it does not say which key (id)" if module else "it does not say which library (module-path)"
            raise BadInput(uri, why, f"Write it like {EXAMPLE}")
        source = unquote(given.get("pin-source", "")).removeprefix("file:")
        token = unquote(given["token"]) if "token" in given else None
        identifier = int.from_bytes(unquote_to_bytes(given["id"]), "big")
        return cls(uri, identifier, token, module, Path(source) if source else None)

    def pin(self, _: str) -> str:
        """The PIN; raises BadInput when there is none."""
        found = self.pin_file.read_text().rstrip("\r\n") if self.pin_file else os.environ.get(PIN, "")
        if not found:
            raise BadInput(self.uri, "no PIN for its token", f"Give pin-source=file:... in the URI, or {PIN}.")
        return found


def is_uri(key: str) -> bool:
    """Whether ``key`` names a key in a module rather than a file."""
    return key.startswith(SCHEME)


def signer(uri: str) -> HSMSigner:
    """What signs with the key at ``uri``; raises BadInput, ToolMissing."""
    address = Address.parse(uri)
    return _Signer(address.identifier, public(uri), address.pin, address.token)


def public(uri: str) -> SSlibKey:
    """The public half of the key at ``uri`` (ECDSA P-256 or P-384); raises BadInput, ToolMissing."""
    address = Address.parse(uri)
    os.environ[MODULE] = address.module
    with_pkcs11()
    with _said(uri):
        return HSMSigner.import_(address.identifier, address.token, address.pin)[1]


class _Signer(HSMSigner):
    """Says in our words what goes wrong in the module."""

    def sign(self, payload: bytes) -> Signature:
        """See :class:`securesystemslib.signer.Signer`; raises BadInput."""
        with _said(f"token {self.token_label}"):
            return super().sign(payload)


@contextmanager
def _said(given: str) -> Iterator[None]:
    try:
        yield
    except UnsupportedLibraryError as e:
        raise ToolMissing("python-pkcs11", str(e), "Install sealift[hsm].") from e
    except BadInput:
        raise
    except Exception as e:  # python-pkcs11 and the module raise kinds of their own, without a common root.
        raise BadInput(given, f"{type(e).__name__} {e}".strip(), "See that token, id and PIN are right.") from e
