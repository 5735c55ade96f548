"""python-tuf's client, imported without what verifying a directory never calls.

Its package imports an HTTP client (urllib3), and the signers of securesystemslib a PKCS#11 library: together as much
time as all the rest of a verification. Both are put off until somebody makes use of them, and are then the real ones.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

_FETCHER = "tuf.ngclient.urllib3_fetcher"
_PKCS11 = "pkcs11"
_HSM = "securesystemslib.signer._hsm_signer"


class _Urllib3Fetcher:
    """Stands for TUF's own fetcher, and gives the real one to whoever makes one."""

    def __new__(cls, *args: Any, **named: Any) -> Any:  # noqa: ANN401 - what the real one takes and is
        sys.modules.pop(_FETCHER, None)
        return importlib.import_module(_FETCHER).Urllib3Fetcher(*args, **named)


def _put_off() -> None:
    if _FETCHER not in sys.modules:
        stands_in = ModuleType(_FETCHER)
        stands_in.Urllib3Fetcher = _Urllib3Fetcher  # type: ignore[attr-defined]
        sys.modules[_FETCHER] = stands_in
    if _PKCS11 in sys.modules:
        return
    sys.modules[_PKCS11] = None  # type: ignore[assignment] # For the import system: there is none.
    try:
        importlib.import_module("securesystemslib.signer")
    finally:
        del sys.modules[_PKCS11]


def with_pkcs11() -> None:
    """Let securesystemslib have the PKCS#11 library, if there is one; to be called before a key in a module is used."""
    signer = importlib.import_module(_HSM)
    if signer.PKCS11_IMPORT_ERROR:
        importlib.reload(signer)  # Into the same module, so that what was imported from it before has it too.


_put_off()

from tuf.api.exceptions import (  # noqa: E402
    BadVersionNumberError,
    DownloadError,
    DownloadHTTPError,
    ExpiredMetadataError,
    LengthOrHashMismatchError,
    RepositoryError,
    UnsignedMetadataError,
)
from tuf.api.metadata import Metadata, Root, Snapshot, TargetFile, Targets, Timestamp  # noqa: E402
from tuf.ngclient import FetcherInterface, Updater  # noqa: E402

__all__ = [
    "BadVersionNumberError",
    "DownloadError",
    "DownloadHTTPError",
    "ExpiredMetadataError",
    "FetcherInterface",
    "LengthOrHashMismatchError",
    "Metadata",
    "RepositoryError",
    "Root",
    "Snapshot",
    "TargetFile",
    "Targets",
    "Timestamp",
    "UnsignedMetadataError",
    "Updater",
    "with_pkcs11",
]
