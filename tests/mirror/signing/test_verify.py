"""Each way in which a bundle's signatures can be wrong has its own answer. All metadata is real."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, Root

from mirror.errors import BadInput, Untrusted
from mirror.layout import METADATA
from mirror.signing import release, roots
from mirror.signing.trust import ACCEPTED, STATE, Accepted
from mirror.signing.verify import verify_once

from .conftest import NOW, People, ed25519, metadata


def refused(people: People, bundle: Path) -> Untrusted:
    with pytest.raises(Untrusted) as e:
        people.trust().verify(bundle)
    return e.value


def test_a_signed_bundle_is_accepted_and_remembered(people: People) -> None:
    bundle, trust = people.signed(3), people.trust()
    found = trust.verify(bundle, accept=True)
    assert (found.version, found.root_version) == (3, 1)
    assert found.signers == [people.releasers[0].public_key.keyid]
    assert trust.accepted is not None
    assert trust.accepted.bundle_version == 3
    assert trust.verify(bundle) == found


def test_a_bundle_without_signatures_is_refused(people: People) -> None:
    assert refused(people, people.bundle("plain")).why == "it is not signed"


def test_an_older_bundle_is_refused_as_rolled_back(people: People) -> None:
    old, new = people.signed(3), people.signed(4)
    people.trust().verify(new, accept=True)
    why = refused(people, old).why
    assert why == "its version 3 is older than 4, which was accepted here before: rolled back"


def test_to_verify_is_not_to_accept(people: People) -> None:
    old, new = people.signed(3), people.signed(4)
    people.trust().verify(new)
    assert people.trust().verify(old, accept=True).version == 3


def test_an_older_bundle_is_refused_even_where_tufs_own_state_was_lost(people: People) -> None:
    old, new = people.signed(3), people.signed(4)
    people.trust().verify(new, accept=True)
    shutil.rmtree(people.trust().directory / STATE)
    assert "4 was accepted here before: rolled back" in refused(people, old).why


def test_the_older_one_signed_again_is_accepted(people: People) -> None:
    old = people.signed(3)
    people.trust().verify(people.signed(4), accept=True)
    people.sign(old, 5)
    assert people.trust().verify(old).version == 5


def test_an_expired_bundle_is_refused_as_frozen(people: People) -> None:
    bundle = people.bundle("old")
    people.sign(bundle, 3, days=-1)
    found = refused(people, bundle)
    assert found.why.endswith("frozen")
    assert f"it is {datetime.now(UTC):%Y-%m-%d}" in found.why


def test_an_expired_root_is_refused_as_the_roots_own_fault(people: People) -> None:
    roots.path(people.roots, 1).unlink()
    people.establish(people.powers(days=-1))
    found = refused(people, people.signed(3))
    assert found.why.startswith("root 1 expired on ")
    assert "sealift key rotate" in found.instead


@pytest.mark.parametrize("role", ["snapshot", "targets"])
def test_metadata_of_two_bundles_is_refused_as_mixed(people: People, role: str) -> None:
    old, new = people.signed(3), people.signed(4)
    shutil.copy(metadata(old, role), metadata(new, role))
    why = refused(people, new).why
    assert why.endswith("mixed")
    assert f"{role} 3" in why


def test_metadata_of_two_bundles_of_one_version_is_refused_by_its_files(people: People) -> None:
    """A mirror that knows both cannot pass one's list off with the other's files."""
    one, other = people.bundle("one", "a"), people.bundle("other", "b")
    people.sign(one, 3)
    people.sign(other, 3)
    shutil.rmtree(one / METADATA)
    shutil.copytree(other / METADATA, one / METADATA)
    found = refused(people, one)
    assert found.given.endswith("sealift.lock")
    assert "mixed or changed" in found.why


def test_another_bundle_of_the_version_that_was_accepted_is_refused_as_such(people: People) -> None:
    one, other = people.bundle("one", "a"), people.bundle("other", "b")
    people.sign(one, 3)
    people.sign(other, 3)
    people.trust().verify(one, accept=True)
    found = refused(people, other)
    assert found.why == "another bundle was accepted here before as version 3, as which this is signed"
    (other / METADATA / "targets.json").write_text("no metadata")
    assert "mixed or changed" in refused(people, other).why


def test_a_changed_file_is_refused_by_name(people: People) -> None:
    bundle = people.signed(3)
    (bundle / "sealift.lock").write_text("kcol")
    found = refused(people, bundle)
    assert found.given == str(bundle / "sealift.lock")
    assert "mixed or changed" in found.why


def test_a_file_more_and_a_file_less_are_refused(people: People) -> None:
    bundle = people.signed(3)
    (bundle / "more").write_text("")
    assert refused(people, bundle).why == "it is there and was not signed"
    (bundle / "more").unlink()
    (bundle / "index.json").unlink()
    assert refused(people, bundle).why == "it was signed and is not there"


def test_a_link_in_place_of_a_file_is_refused(people: People) -> None:
    bundle = people.signed(3)
    (bundle / "index.json").rename(people.directory / "elsewhere")
    (bundle / "index.json").symlink_to(people.directory / "elsewhere")
    assert refused(people, bundle).why == "it is a link"


def test_a_wrong_key_is_refused_as_such(people: People, tmp_path: Path) -> None:
    stranger = People(tmp_path / "stranger", [ed25519()], [ed25519()])
    stranger.establish()
    why = refused(people, stranger.signed(3)).why
    assert why == "no key that the pinned root trusts has signed it: wrong key"


def test_a_stranger_who_copies_the_root_is_refused(people: People, tmp_path: Path) -> None:
    stranger = People(tmp_path / "stranger", [ed25519()], [ed25519()])
    stranger.establish()
    bundle = stranger.signed(3)
    shutil.copy(roots.path(people.roots, 1), bundle / METADATA / "1.root.json")
    assert refused(people, bundle).why.endswith("wrong key")


def test_too_few_signatures_are_refused_with_how_many(people: People) -> None:
    people.releasers.append(ed25519())
    roots.path(people.roots, 1).unlink()
    people.establish(people.powers(release_threshold=2))
    bundle = people.bundle("half")
    made = people.sign(bundle, 3, [people.releasers[0]])
    assert made.lacking == "it is signed by 1 of the 2 keys that must"
    assert refused(people, bundle).why == "it is signed by 1 of the 2 keys that must: too few"


def test_a_second_holder_adds_what_is_missing_without_changing_what_was_signed(people: People) -> None:
    people.releasers.append(ed25519())
    roots.path(people.roots, 1).unlink()
    people.establish(people.powers(release_threshold=2))
    bundle = people.bundle("half")
    people.sign(bundle, 3, [people.releasers[0]])
    assert release.countersign(bundle, [people.releasers[1]]).lacking is None
    assert people.trust().verify(bundle).signers == sorted(s.public_key.keyid for s in people.releasers)


def test_a_second_holder_does_not_sign_other_files(people: People) -> None:
    from mirror.errors import Damaged

    bundle = people.signed(3)
    (bundle / "sealift.lock").write_text("other")
    with pytest.raises(Damaged, match="not the file that was signed"):
        release.countersign(bundle, people.releasers)


def test_one_key_that_signs_twice_counts_once(people: People) -> None:
    people.releasers.append(ed25519())
    roots.path(people.roots, 1).unlink()
    people.establish(people.powers(release_threshold=2))
    bundle = people.bundle("twice")
    one = people.releasers[0]
    assert "1 of the 2" in str(people.sign(bundle, 3, [one, one]).lacking)
    assert refused(people, bundle).why.endswith("too few")


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_missing_metadata_is_refused_by_name(people: People, role: str) -> None:
    bundle = people.signed(3)
    metadata(bundle, role).unlink()
    found = refused(people, bundle)
    assert f"{role}.json" in found.given
    assert found.why.startswith("it is missing")


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_metadata_whose_content_was_changed_is_refused(people: People, role: str) -> None:
    bundle = people.signed(3)
    data = json.loads(metadata(bundle, role).read_text())
    data["signed"]["expires"] = "2099-01-01T00:00:00Z"
    metadata(bundle, role).write_text(json.dumps(data))
    assert refused(people, bundle).why.endswith("wrong key")


def test_metadata_that_is_no_json_is_refused(people: People) -> None:
    bundle = people.signed(3)
    metadata(bundle, "timestamp").write_text("{")
    assert refused(people, bundle).why.startswith("its metadata cannot be read")


def test_a_failed_verification_changes_nothing_of_what_was_accepted(people: People) -> None:
    trust = people.trust()
    trust.verify(people.signed(3), accept=True)
    before = trust.accepted
    bad = people.signed(9)
    (bad / "sealift.lock").write_text("bad")
    refused(people, bad)
    assert trust.accepted == before
    assert trust.verify(people.signed(4), accept=True).version == 4


def test_a_clock_that_went_back_is_refused(people: People) -> None:
    trust = people.trust()
    bundle = people.signed(3)
    trust.verify(bundle, accept=True)
    ahead = datetime.now(UTC) + timedelta(days=30)
    Accepted(bundle_version=3, root_version=1, at=ahead).write(trust.directory / ACCEPTED)
    assert "the clock went back" in refused(people, bundle).why


def test_without_state_an_older_bundle_passes_until_it_expires(people: People) -> None:
    pinned = roots.path(people.roots, 1).read_bytes()
    old, new = people.signed(3), people.signed(4)
    assert [verify_once(b, pinned).version for b in (new, old)] == [4, 3]


# Rotation


def rotated(people: People, signers: list[CryptoSigner], powers: roots.Powers) -> Metadata[Root]:
    last = roots.chain(people.roots)[-1].signed
    made = roots.compose(powers, last.version + 1)
    roots.endorse(made, signers, last)  # type: ignore[arg-type]
    roots.write(made, people.roots)
    return made


def test_a_site_follows_the_chain_from_the_root_it_pinned(people: People) -> None:
    old_root, people.root = people.root, [ed25519()]
    people.releasers = [ed25519()]
    rotated(people, [*old_root, *people.root], people.powers())  # type: ignore[list-item]
    found = people.trust().verify(people.signed(5))
    assert found.root_version == 2
    assert found.signers == [people.releasers[0].public_key.keyid]


def test_a_release_key_that_was_rotated_away_signs_no_more(people: People) -> None:
    retired, people.releasers = people.releasers, [ed25519()]
    old = people.directory / "old-roots"
    shutil.copytree(people.roots, old)
    rotated(people, people.root, people.powers())  # type: ignore[arg-type]
    people.trust().verify(people.signed(5), accept=True)
    bundle = people.bundle("late")
    people.sign(bundle, 6, retired, directory=old)
    assert refused(people, bundle).why.endswith("wrong key")
    with pytest.raises(BadInput, match="does not name it as a release key"):
        people.sign(bundle, 7, retired)


def test_a_root_that_the_old_root_keys_did_not_sign_is_refused(people: People) -> None:
    usurper, people.releasers = [ed25519()], [ed25519()]
    before = roots.chain(people.roots)[-1].signed
    made = roots.compose(
        roots.Powers([usurper[0].public_key], 1, [people.releasers[0].public_key], 1, NOW + timedelta(9)), 2
    )  # type: ignore[list-item]
    roots.endorse(made, usurper, before)
    assert roots.lacking(made, before) is not None
    bundle = people.bundle("usurped")
    forged = people.directory / "forged"
    roots.write(made, forged)
    people.sign(bundle, 5, directory=forged)
    assert refused(people, bundle).why.endswith("wrong root")


def test_a_chain_with_a_root_that_lacks_signatures_signs_nothing(people: People) -> None:
    rotated(people, [], people.powers())
    with pytest.raises(Untrusted, match="of its own root keys must sign") as e:
        people.sign(people.bundle("b"), 5)
    assert "of the previous root's root keys must sign" in e.value.why


def test_root_keys_sign_one_after_the_other(people: People) -> None:
    people.root.append(ed25519())
    made = rotated(people, [people.root[1]], people.powers(root_threshold=2))  # type: ignore[list-item]
    before = roots.read(roots.path(people.roots, 1)).signed
    assert roots.lacking(made, before) is not None
    roots.endorse(made, [people.root[0]], before)
    assert roots.lacking(made, before) is None


def test_a_stranger_does_not_endorse(people: People) -> None:
    with pytest.raises(BadInput, match="names it as a root key"):
        rotated(people, [ed25519()], people.powers())  # type: ignore[list-item]


@pytest.mark.parametrize("threshold", [0, 2])
def test_a_threshold_that_cannot_be_met_is_bad_input(people: People, threshold: int) -> None:
    with pytest.raises(BadInput, match="there are 1 different"):
        roots.compose(people.powers(release_threshold=threshold), 2)


# Pinning


def test_another_root_is_not_pinned_by_accident(people: People, tmp_path: Path) -> None:
    trust = people.trust()
    trust.verify(people.signed(3), accept=True)
    stranger = People(tmp_path / "stranger", [ed25519()], [ed25519()])
    other = stranger.establish()
    with pytest.raises(BadInput, match="another root is pinned"):
        trust.pin(other)
    trust.pin(other, replace=True)
    assert trust.accepted is None
    assert trust.verify(stranger.signed(1)).version == 1


def test_a_root_that_is_not_signed_is_not_pinned(people: People) -> None:
    unsigned = roots.write(roots.compose(people.powers(), 1), people.directory / "unsigned")
    with pytest.raises(Untrusted, match="must sign"):
        people.trust(unsigned)


def test_what_is_no_root_is_not_pinned(people: People) -> None:
    bundle = people.signed(3)
    with pytest.raises(BadInput, match="role timestamp"):
        people.trust(metadata(bundle, "timestamp"))
    with pytest.raises(BadInput, match="no TUF metadata"):
        people.trust(bundle / "index.json")


def test_nothing_pinned_accepts_nothing(people: People) -> None:
    from mirror.signing.trust import Trust

    with pytest.raises(BadInput, match="no root of trust is pinned"):
        Trust(people.directory / "empty").verify(people.signed(3))
