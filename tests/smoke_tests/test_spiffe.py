from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from smoke_tests import spiffe

if TYPE_CHECKING:
    from tests.smoke_tests.conftest import Pki


@pytest.mark.parametrize("account", ["default", "a" * 120], ids=["short", "longer than 127 bytes"])
def test_the_id_is_read_from_a_certificate(account: str) -> None:
    name = f"spiffe://cluster.local/ns/models/sa/{account}"
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/"]
    names = ["-addext", f"subjectAltName=critical,URI:{name},DNS:other", "-keyout", "/dev/null"]
    pem = subprocess.run([*new, *names], check=True, capture_output=True, text=True).stdout
    assert spiffe.in_certificate_chain("Subject:\n" + pem + "more") == name


def test_a_certificate_without_an_id_has_none(pki: Pki) -> None:
    assert spiffe.in_certificate_chain(pki.certificate.read_text()) is None
    assert spiffe.in_certificate_chain("no certificate at all") is None


def test_a_sidecars_id_is_read_from_its_admin_interface() -> None:
    workload = {"cert_chain": [{"subject_alt_names": [{"uri": "spiffe://cluster.local/ns/a/sa/b"}]}]}
    authority = {"ca_cert": [{"subject_alt_names": []}]}
    assert spiffe.of_proxy(json.dumps({"certificates": [authority, workload]})) == "spiffe://cluster.local/ns/a/sa/b"
    assert spiffe.of_proxy('{"certificates": []}') is None
