"""A signature beside a file."""

from __future__ import annotations

from pathlib import Path

import pytest
from securesystemslib.signer import CryptoSigner

from mirror.errors import BadInput, Untrusted
from mirror.signing import detached

from .conftest import ed25519


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "inventory.json").write_text('{"a": 1}')
    return tmp_path / "inventory.json"


def test_one_of_the_keys_is_enough(file: Path) -> None:
    one, other = ed25519(), CryptoSigner.generate_ecdsa()
    assert detached.sign(file, [other]).name == "inventory.json.sig"
    detached.verify(file, [one.public_key, other.public_key])


def test_none_of_the_keys_is_refused(file: Path) -> None:
    detached.sign(file, [ed25519()])
    with pytest.raises(Untrusted, match="none of the keys"):
        detached.verify(file, [ed25519().public_key])


def test_a_changed_file_is_refused(file: Path) -> None:
    signer = ed25519()
    detached.sign(file, [signer])
    file.write_text('{"a": 2}')
    with pytest.raises(Untrusted):
        detached.verify(file, [signer.public_key])


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"payloadType": "x", "signatures": [{}]}', '{"signatures": 3}'])
def test_a_malformed_signature_is_refused(file: Path, text: str) -> None:
    detached.beside(file).write_text(text)
    with pytest.raises(Untrusted):
        detached.verify(file, [ed25519().public_key])


def test_a_signature_of_another_kind_of_document_is_refused(file: Path) -> None:
    from securesystemslib.dsse import Envelope

    signer = ed25519()
    envelope = Envelope(file.read_bytes(), "application/other", {})
    envelope.sign(signer)
    good = detached.sign(file, [signer]).read_text()
    old, new = good.split('"sig": "')[1].partition('"')[0], next(iter(envelope.signatures.values())).signature
    detached.beside(file).write_text(good.replace(old, new).replace(detached.TYPE, "application/other"))
    with pytest.raises(Untrusted, match="a signature of application/other"):
        detached.verify(file, [signer.public_key])


def test_a_file_without_its_signature_is_bad_input(file: Path) -> None:
    with pytest.raises(BadInput, match=r"inventory\.json\.sig"):
        detached.verify(file, [ed25519().public_key])
