from __future__ import annotations

import json
import re
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from access import jwks
from access.issuer import JWKS_FILE, KEY_FILE, LEDGER_FILE, Issuer, IssuerKey
from access.token import show
from mirror.errors import BadInput

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    made = Issuer(tmp_path / "access")
    made.create("keys.models.test", "models.test")
    return made


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_private_key_is_its_owners_alone_and_the_public_ones_hold_nothing_private(issuer: Issuer) -> None:
    assert mode(issuer.directory / KEY_FILE) == 0o600
    assert mode(issuer.directory) == 0o700
    assert "d" not in issuer.jwks()["keys"][0]
    assert jwks.checked(issuer.jwks(), "x") == issuer.jwks()


def test_a_keys_id_is_no_option_on_any_command_line() -> None:
    assert all(re.fullmatch(r"[0-9a-f]{16}", IssuerKey.new("keys.models.test", "models.test").kid) for _ in range(100))


def test_a_private_key_never_shows_itself_in_an_error_or_a_log(issuer: Issuer) -> None:
    key = issuer.key()
    assert key.key["d"] not in repr(key)
    assert key.key["d"] not in str(key)


def test_a_key_of_a_tenant_says_whose_it_is_for_whom_and_until_when(issuer: Issuer) -> None:
    token, record = issuer.key().token("research", timedelta(days=1), now=NOW)
    read = jwt.decode(token, KeySet.import_key_set({"keys": issuer.jwks()["keys"]}), ["ES256"])
    assert read.header["kid"] == issuer.key().kid
    assert read.claims == {
        "iss": "keys.models.test",
        "aud": "models.test",
        "sub": "research",
        "tenant": "research",
        "jti": record.id,
        "iat": int(NOW.timestamp()),
        "exp": int(NOW.timestamp()) + 86400,
    }


def test_no_two_keys_have_one_id(issuer: Issuer) -> None:
    assert len({issuer.issue("research", 1)[1].id for _ in range(20)}) == 20


def test_the_ledger_knows_what_was_issued_and_no_key(issuer: Issuer) -> None:
    token, record = issuer.issue("research", 90, note="for the notebook")
    issuer.issue("website", 90)
    assert issuer.ledger.records("research") == [record]
    assert [r.tenant for r in issuer.ledger.records()] == ["research", "website"]
    assert token.rpartition(".")[2] not in (issuer.directory / LEDGER_FILE).read_text()
    assert mode(issuer.directory / LEDGER_FILE) == 0o600


def test_a_broken_line_of_the_ledger_is_named(issuer: Issuer) -> None:
    issuer.issue("research", 1)
    with (issuer.directory / LEDGER_FILE).open("a") as f:
        f.write("{half\n")
    with pytest.raises(BadInput, match="line 2"):
        issuer.ledger.records()


@pytest.mark.parametrize("tenant", ["", "Research", "a b", "a*", "-a", "a" * 64, "*"])
def test_a_name_that_no_tenant_can_have_gets_no_key(issuer: Issuer, tenant: str) -> None:
    with pytest.raises(BadInput, match="cannot be a tenant's name"):
        issuer.issue(tenant, 1)


@pytest.mark.parametrize("days", [0, -1, 367])
def test_no_key_lasts_for_ever_or_not_at_all(issuer: Issuer, days: int) -> None:
    with pytest.raises(BadInput, match="keys end"):
        issuer.issue("research", days)


def test_an_issuer_is_not_made_over_another(issuer: Issuer) -> None:
    before = issuer.key()
    with pytest.raises(BadInput, match="there already is"):
        issuer.create("keys.models.test", "models.test")
    assert issuer.key() == before


def test_after_a_rotation_old_and_new_keys_are_good_and_after_retiring_only_new_ones(issuer: Issuer) -> None:
    old_kid = issuer.key().kid
    old, _ = issuer.issue("research", 1)
    new_kid = issuer.rotate().kid
    new, _ = issuer.issue("research", 1)
    assert jwks.kids(issuer.jwks()) == [new_kid, old_kid]
    assert [show(t, issuer.jwks()).verified for t in (old, new)] == [True, True]
    assert issuer.retire(old_kid) == [new_kid]
    assert [show(t, issuer.jwks()).verified for t in (old, new)] == [False, True]
    assert mode(issuer.directory / KEY_FILE) == 0o600


def test_the_key_that_signs_is_not_retired(issuer: Issuer) -> None:
    with pytest.raises(BadInput, match="the one that signs"):
        issuer.retire(issuer.key().kid)


def test_a_kid_that_is_not_there_is_not_retired_and_those_that_are_get_named(issuer: Issuer) -> None:
    with pytest.raises(BadInput) as caught:
        issuer.retire("other")
    assert issuer.key().kid in caught.value.instead


def test_a_private_key_that_others_may_read_is_refused(issuer: Issuer) -> None:
    (issuer.directory / KEY_FILE).chmod(0o640)
    with pytest.raises(BadInput, match="others than its owner"):
        issuer.issue("research", 1)


def test_a_file_without_a_private_key_is_refused(issuer: Issuer) -> None:
    path = issuer.directory / KEY_FILE
    held = json.loads(path.read_text())
    path.write_text(json.dumps({**held, "key": {k: v for k, v in held["key"].items() if k != "d"}}))
    with pytest.raises(BadInput, match="no private key"):
        issuer.key()


def test_a_key_of_another_issuer_is_not_verified(issuer: Issuer, tmp_path: Path) -> None:
    other = Issuer(tmp_path / "other")
    foreign, _ = other.create("keys.models.test", "models.test").token("research", timedelta(days=1))
    assert not show(foreign, issuer.jwks()).verified


def test_a_key_tells_when_it_has_expired(issuer: Issuer) -> None:
    token, record = issuer.key().token("research", timedelta(days=1), now=NOW)
    shown = show(token, issuer.jwks())
    assert shown.expires == record.expires
    assert (shown.expired(NOW), shown.expired(NOW + timedelta(days=1))) == (False, True)


@pytest.mark.parametrize("text", ["", "abc", "a.b.c", "é.é.é", "sk-123"])
def test_what_is_no_key_is_refused_without_repeating_it(issuer: Issuer, text: str) -> None:
    with pytest.raises(BadInput) as caught:
        show(text, issuer.jwks())
    assert not text or text not in str(caught.value)


def test_the_jwks_is_written_before_the_key_that_needs_it(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: IssuerKey, suffix: str) -> str:
        raise OSError("disk full")

    before = issuer.key().kid
    monkeypatch.setattr(IssuerKey, "text", fail)
    with pytest.raises(OSError, match="disk full"):
        issuer.rotate()
    monkeypatch.undo()
    assert issuer.key().kid == before
    assert before in jwks.kids(json.loads((issuer.directory / JWKS_FILE).read_text()))
