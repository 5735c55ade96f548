"""Secrets are found wherever they were written down, and nothing else is taken for one."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from mirror.errors import ChecksFailed
from testbed.node import etcd
from testbed.rehearsal import confidential
from testbed.rehearsal.confidential import Word

PASSWORD = "a-long-password-of-the-registry"


def secret(**data: str) -> dict[str, Any]:
    encoded = {k.replace("__", "."): base64.b64encode(v.encode()).decode() for k, v in data.items()}
    return {"metadata": {"namespace": "n", "name": "s"}, "data": encoded}


@pytest.fixture(scope="module")
def pem() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def test_a_key_is_found_as_it_is_in_base64_and_inside_of_json(pem: str) -> None:
    given = secret(tls__key=pem)
    known = confidential.words([given])
    for text in (pem, given["data"]["tls.key"], json.dumps({"stringData": {"tls.key": pem}})):
        assert confidential.exposed(f"before {text} after", known)[-1] == "n/s tls.key"


def test_a_password_is_found() -> None:
    known = confidential.words([secret(password=PASSWORD)])
    assert confidential.exposed(f'{{"password": "{PASSWORD}"}}', known) == ["n/s password"]


def test_what_is_public_or_too_short_is_not_looked_for() -> None:
    assert (
        confidential.words([secret(tls__crt=PASSWORD, ca__crt=PASSWORD, root_cert__pem=PASSWORD, user="admin")]) == []
    )


def test_a_key_that_is_called_pem_is_looked_for(pem: str) -> None:
    assert {w.where for w in confidential.words([secret(**{"ca-key__pem": pem})])} == {"n/s ca-key.pem"}


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN PRIVATE KEY-----\nMII",
        "-----BEGIN EC PRIVATE KEY-----\nMII",
        "token: eyJhbGciOiJFUzI1NiJ9AA.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJlLXNpZ25hdHVyZQ",
    ],
)
def test_what_has_the_shape_of_a_secret_is_found_though_nobody_knows_it(text: str) -> None:
    assert confidential.exposed(text, [])
    with pytest.raises(ChecksFailed, match="in the clear"):
        confidential.check("state", text, [Word("w", "x" * 24)])


def test_a_certificate_has_not_the_shape_of_a_secret() -> None:
    assert confidential.exposed("-----BEGIN CERTIFICATE-----\nMII", []) == []


def test_a_check_names_whose_secret_it_found_and_not_the_secret() -> None:
    known = confidential.words([secret(password=PASSWORD)])
    with pytest.raises(ChecksFailed) as raised:
        confidential.check("state", f"... {PASSWORD} ...", known)
    assert "n/s password" in raised.value.why
    assert PASSWORD not in str(raised.value)


def test_a_check_that_could_find_nothing_fails() -> None:
    with pytest.raises(ChecksFailed, match="no Secret"):
        confidential.check("state", "{}", [])


def test_a_clean_text_passes() -> None:
    confidential.check("state", "{}", confidential.words([secret(password=PASSWORD)]))


def test_values_of_etcd_that_are_not_encrypted_are_named() -> None:
    stored = {"/registry/secrets/n/a": "k8s:enc:secretbox:v1", "/registry/secrets/n/b": "k8s\x00\n\x0c\n\x02v1"}
    assert confidential.in_the_clear(stored) == ["/registry/secrets/n/b"]


def test_lines_about_secrets_are_counted_and_must_not_hold_them() -> None:
    line = {"auditID": "1", "objectRef": {"resource": "secrets"}}
    assert confidential.told([json.dumps(line), json.dumps({"auditID": "2", "objectRef": {"resource": "pods"}})]) == 1
    with pytest.raises(ChecksFailed, match="event 1"):
        confidential.told([json.dumps({**line, "requestObject": {}})])


def test_etcd_is_asked_for_all_keys_below_a_prefix_and_tells_only_beginnings() -> None:
    asked = {k: base64.b64decode(v) for k, v in json.loads(etcd.question("/registry/secrets/")).items()}
    assert asked == {"key": b"/registry/secrets/", "range_end": b"/registry/secrets0"}
    value = base64.b64encode(b"k8s:enc:secretbox:v1:key1:" + PASSWORD.encode()).decode()
    answer = {"kvs": [{"key": base64.b64encode(b"/registry/secrets/n/s").decode(), "value": value}]}
    told = etcd.beginnings(json.dumps(answer).encode())
    assert told == {"/registry/secrets/n/s": "k8s:enc:secretbox:v1"}
    assert etcd.beginnings(b"{}") == {}
