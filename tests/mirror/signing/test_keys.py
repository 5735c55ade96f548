"""Key files: made closed, opened only by those who may."""

from __future__ import annotations

from pathlib import Path

import pytest

from mirror.errors import BadInput
from mirror.signing import hsm, keys


@pytest.mark.parametrize(("algorithm", "scheme"), [("ed25519", "ed25519"), ("ecdsa-p256", "ecdsa-sha2-nistp256")])
def test_a_key_signs_and_its_public_half_verifies(tmp_path: Path, algorithm: keys.Algorithm, scheme: str) -> None:
    path = tmp_path / "keys" / "k.pem"
    made = keys.create(path, algorithm, b"open sesame")
    assert made.scheme == scheme
    assert keys.public(f"{path}.pub") == made == keys.public(str(path), [b"open sesame"])
    signer = keys.signer(str(path), [b"wrong", b"open sesame"])
    made.verify_signature(signer.sign(b"payload"), b"payload")


def test_the_private_half_is_encrypted_and_its_owners(tmp_path: Path) -> None:
    path = tmp_path / "k.pem"
    keys.create(path, "ed25519", b"open sesame")
    assert path.stat().st_mode & 0o777 == 0o600
    assert b"ENCRYPTED PRIVATE KEY" in path.read_bytes()


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    keys.create(tmp_path / "k.pem", "ed25519", None)
    with pytest.raises(BadInput, match="never overwritten"):
        keys.create(tmp_path / "k.pem", "ed25519", None)


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "k.pem"
    keys.create(path, "ed25519", None)
    path.chmod(0o640)
    with pytest.raises(BadInput, match="others than its owner"):
        keys.signer(str(path))


@pytest.mark.parametrize("given", [[], [b"wrong"]])
def test_without_the_passphrase_the_key_stays_shut(tmp_path: Path, given: list[bytes]) -> None:
    keys.create(tmp_path / "k.pem", "ecdsa-p256", b"right")
    with pytest.raises(BadInput, match="no passphrase that was given opens it") as e:
        keys.signer(str(tmp_path / "k.pem"), given)
    assert "wrong" not in str(e.value)


def test_the_passphrase_comes_from_files_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pass").write_text("one\n")
    monkeypatch.setenv(keys.PASSPHRASE, "two")
    assert keys.given_passphrases([tmp_path / "pass"]) == [b"one", b"two"]
    (tmp_path / "pass").write_text("\n")
    with pytest.raises(BadInput, match="empty"):
        keys.given_passphrases([tmp_path / "pass"])


def test_what_is_no_key_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "k.pem").write_text("nonsense")
    (tmp_path / "k.pem").chmod(0o600)
    with pytest.raises(BadInput, match="no private key"):
        keys.signer(str(tmp_path / "k.pem"))
    with pytest.raises(BadInput, match="No such file"):
        keys.signer(str(tmp_path / "none.pem"))


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("pkcs11:token=t?module-path=/m.so", "which key"),
        ("pkcs11:token=t;id=%01", "which library"),
        ("pkcs11:id=%01;slot-id=3?module-path=/m.so", "slot-id is not understood"),
    ],
)
def test_a_uri_that_does_not_name_one_key_is_bad_input(uri: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(hsm.MODULE, raising=False)
    with pytest.raises(BadInput, match=why):
        hsm.Address.parse(uri)


def test_a_pin_in_the_uri_is_refused_and_not_repeated() -> None:
    with pytest.raises(BadInput, match="process lists") as e:
        hsm.Address.parse("pkcs11:id=%01?module-path=/m.so&pin-value=1234")
    assert "1234" not in f"{e.value.given}{e.value.why}{e.value.instead}"


def test_a_uri_is_read_as_rfc_7512_writes_it() -> None:
    address = hsm.Address.parse("pkcs11:token=My%20Token;id=%01%02?module-path=/m.so&pin-source=file:/run/pin")
    assert (address.token, address.identifier, address.module) == ("My Token", 0x0102, "/m.so")
    assert address.pin_file == Path("/run/pin")
