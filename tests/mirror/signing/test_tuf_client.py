"""What is put off when TUF's client is imported is the real thing when somebody makes use of it."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest


def run(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True)


def test_verifying_opens_no_connection_and_so_needs_no_http_client() -> None:
    run("import sys, mirror.signing.verify; assert not {'urllib3', 'pkcs11', 'requests'} & sys.modules.keys()")


def test_tufs_own_fetcher_is_the_real_one() -> None:
    run(
        "import mirror.signing.verify, tuf.ngclient, urllib3, sys\n"
        "made = tuf.ngclient.Urllib3Fetcher()\n"
        "assert type(made) is sys.modules['tuf.ngclient.urllib3_fetcher'].Urllib3Fetcher, made\n"
        "assert isinstance(made, tuf.ngclient.FetcherInterface)"
    )


@pytest.mark.skipif(find_spec("pkcs11") is None, reason="python-pkcs11 is not installed")
def test_a_key_in_a_module_can_be_used_after_a_bundle_was_verified() -> None:
    run(
        "import mirror.signing.verify\n"
        "from securesystemslib.signer import _hsm_signer as signer, HSMSigner\n"
        "assert signer.PKCS11_IMPORT_ERROR\n"
        "from mirror.signing.tuf_client import with_pkcs11\n"
        "with_pkcs11()\n"
        "assert signer.PKCS11_IMPORT_ERROR is None and signer.pkcs11\n"
        "assert HSMSigner.import_.__globals__ is vars(signer)"
    )
