"""A key in SoftHSM, a PKCS#11 token in software, signs a bundle."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mirror.errors import BadInput
from mirror.signing import hsm, keys, roots

from ..conftest import People, ed25519

MODULE = "/usr/lib/softhsm/libsofthsm2.so"
PIN = "734512"


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PKCS#11 URI of an ECDSA P-256 key, with the file that holds the PIN."""
    import pkcs11
    from pkcs11.util.ec import encode_named_curve_parameters

    directory = tmp_path_factory.mktemp("hsm")
    (directory / "tokens").mkdir()
    settings = directory / "softhsm2.conf"
    settings.write_text(f"directories.tokendir = {directory}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n")
    (directory / "pin").write_text(f"{PIN}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(settings))
        made = [
            "softhsm2-util",
            "--init-token",
            "--free",
            "--label",
            "release keys",
            "--pin",
            PIN,
            "--so-pin",
            "999999",
        ]
        subprocess.run(made, check=True, capture_output=True)
        library = pkcs11.lib(MODULE)
        with library.get_token(token_label="release keys").open(user_pin=PIN, rw=True) as session:
            curve = session.create_domain_parameters(
                pkcs11.KeyType.EC,
                {pkcs11.Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")},
                local=True,
            )
            curve.generate_keypair(id=b"\x01", label="release", store=True)
        yield f"pkcs11:token=release%20keys;id=%01?module-path={MODULE}&pin-source=file:{directory}/pin"


def test_a_bundle_signed_by_a_key_in_the_token_is_accepted(token: str, tmp_path: Path) -> None:
    people = People(tmp_path, [ed25519()], [keys.signer(token)])
    people.establish()
    found = people.trust().verify(people.signed(3))
    assert found.signers == [keys.public(token).keyid]


def test_a_root_is_signed_by_a_key_in_the_token(token: str, tmp_path: Path) -> None:
    people = People(tmp_path, [keys.signer(token)], [ed25519()])
    assert roots.lacking(roots.read(people.establish()), None) is None


def test_a_wrong_pin_is_refused_without_repeating_it(token: str, tmp_path: Path) -> None:
    (tmp_path / "pin").write_text("000000")
    wrong = token.partition("file:")[0] + f"file:{tmp_path}/pin"
    with pytest.raises(BadInput, match="PinIncorrect") as e:
        keys.signer(wrong).sign(b"x")
    assert "000000" not in f"{e.value.given}{e.value.why}{e.value.instead}"


def test_a_key_that_the_token_lacks_is_bad_input(token: str) -> None:
    with pytest.raises(BadInput, match="could not find"):
        keys.public(token.replace("id=%01", "id=%07"))


def test_the_pin_may_come_from_the_environment(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(hsm.PIN, PIN)
    assert keys.public(token.partition("&pin-source")[0]) == keys.public(token)
