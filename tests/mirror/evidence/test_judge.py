"""Real signatures: who signed what, and what counts for nothing."""

from __future__ import annotations

import json

import pytest

from mirror.evidence.find import SIGNS
from mirror.evidence.policy import Keyless, SignatureRule
from mirror.layout import digest

from .conftest import (
    IDENTITY,
    ISSUER,
    KEYLESS,
    SIGSTORE_BUNDLE,
    Case,
    Signer,
    Sigstore,
    leaf,
    payload,
    refer,
    statement,
)

SLSA = "https://slsa.dev/provenance/v1"


def test_an_image_signed_by_the_key_is_signed(whole: Case) -> None:
    signer = Signer()
    signer.simple(whole, digest(whole.upstream))
    signed, because = whole.judged(signer.rule())
    assert signed
    assert because.startswith("signed: key ")


def test_an_image_without_a_signature_is_refused(whole: Case) -> None:
    assert whole.judged(Signer().rule()) == (False, "there is no signature")


def test_a_stranger_s_signature_counts_for_nothing(whole: Case) -> None:
    Signer().simple(whole, digest(whole.upstream))
    signed, because = whole.judged(Signer().rule())
    assert not signed
    assert because.endswith(".sig: it is signed by none of the keys")


def test_a_signature_of_another_image_counts_for_nothing(whole: Case) -> None:
    signer = Signer()
    signer.simple(whole, digest(whole.upstream), payload("sha256:" + "0" * 64))
    signed, because = whole.judged(signer.rule())
    assert not signed
    assert because.endswith("it is about another image")


def test_a_signature_of_something_that_is_no_image_counts_for_nothing(whole: Case) -> None:
    signer = Signer()
    signer.simple(whole, digest(whole.upstream), payload(digest(whole.upstream), "something else"))
    assert "signs 'something else', no image" in whole.judged(signer.rule())[1]


def test_what_is_malformed_counts_for_nothing_and_breaks_nothing(whole: Case) -> None:
    signer = Signer()
    signer.simple(whole, digest(whole.upstream), b"no json")
    assert "malformed" in whole.judged(signer.rule())[1]


def test_a_cut_index_is_signed_through_upstreams_own_which_is_carried(cut_case: Case) -> None:
    signer = Signer()
    signer.simple(cut_case, digest(cut_case.upstream))
    assert [f.locked.kind for f in cut_case.found()] == ["index", "signature"]
    assert cut_case.judged(signer.rule())[0]


def test_an_index_that_was_not_cut_from_the_signed_one_is_refused(cut_case: Case) -> None:
    signer = Signer()
    signer.simple(cut_case, digest(cut_case.upstream))
    foreign = cut_case.registry.index({"amd64": cut_case.registry.image("foreign")}, "foreign")
    swapped = Case(cut_case.registry, cut_case.upstream, foreign)
    assert not swapped.judged(signer.rule())[0]


def test_a_cut_index_whose_platform_is_signed_is_signed(cut_case: Case) -> None:
    signer = Signer()
    signer.simple(cut_case, leaf(cut_case))
    assert cut_case.judged(signer.rule())[0]


def test_one_signed_platform_of_two_is_not_enough() -> None:
    from .conftest import Memory

    registry, signer = Memory(), Signer()
    made = registry.index({"amd64": registry.image("amd64"), "arm64": registry.image("arm64")})
    case = Case(registry, made, made)
    signer.simple(case, leaf(case))
    assert not case.judged(signer.rule())[0]


def test_the_first_rule_that_covers_an_image_decides(whole: Case) -> None:
    signer, reason = Signer(), "Upstream signs nothing at all."
    signer.simple(whole, digest(whole.upstream))
    other = SignatureRule(images="**", unsigned=reason)
    assert whole.judged(signer.rule("quay.io/org/*"), other)[1].startswith("signed")
    assert whole.judged(other, signer.rule()) == (True, f"unsigned: {reason}")
    assert whole.judged(SignatureRule(images="quay.io/*", unsigned=reason), other)[1] == f"unsigned: {reason}"


def test_where_there_are_rules_an_image_that_none_covers_is_refused(whole: Case) -> None:
    assert whole.judged(Signer().rule("docker.io/**")) == (False, "no rule of the catalog is about it")
    assert whole.judged()[0]


def test_an_attestation_is_wanted_by_its_predicate_type(whole: Case) -> None:
    signer, subject = Signer(), digest(whole.upstream)
    signer.simple(whole, subject)
    rule = signer.rule(attestations=[SLSA])
    assert whole.judged(rule) == (False, f"nobody whom the rule names attests {SLSA}")
    signer.attest(whole, subject, "https://spdx.dev/Document")
    assert not whole.judged(rule)[0]
    signer.attest(whole, subject, SLSA)
    assert whole.judged(rule)[0]


def test_an_attestation_by_a_stranger_or_about_another_image_is_not_the_wanted_one(whole: Case) -> None:
    signer, subject = Signer(), digest(whole.upstream)
    signer.simple(whole, subject)
    rule = signer.rule(attestations=[SLSA])
    Signer().attest(whole, subject, SLSA)
    assert not whole.judged(rule)[0]


def test_an_attestation_is_no_signature(whole: Case) -> None:
    signer = Signer()
    signer.attest(whole, digest(whole.upstream), SLSA)
    assert not whole.judged(signer.rule())[0]


def test_cosign_3_s_signature_by_a_key_is_found_as_a_referrer(whole: Case) -> None:
    signer, subject = Signer(), digest(whole.upstream)
    content = {
        "verificationMaterial": {"publicKey": {"hint": "x"}},
        "dsseEnvelope": signer.envelope(statement(subject)),
    }
    refer(whole, subject, SIGSTORE_BUNDLE, json.dumps(content).encode())
    assert whole.judged(signer.rule())[0]
    assert not whole.judged(Signer().rule())[0]


# Keyless, by a trusted root that the test made


def keyless(*signers: Keyless) -> SignatureRule:
    return SignatureRule(images="**", keyless=list(signers or (KEYLESS,)))


def test_a_sigstore_bundle_of_the_right_identity_is_a_signature(whole: Case) -> None:
    sigstore, subject = Sigstore(), digest(whole.upstream)
    refer(whole, subject, SIGSTORE_BUNDLE, sigstore.bundle(statement(subject)))
    assert whole.judged(keyless(), trusted_root=sigstore.trusted_root) == (True, f"signed: {IDENTITY} by {ISSUER}")


def test_cosign_2_s_signature_in_a_tag_of_the_right_identity_is_a_signature(whole: Case) -> None:
    sigstore = Sigstore()
    sigstore.simple(whole, digest(whole.upstream))
    assert whole.judged(keyless(), trusted_root=sigstore.trusted_root) == (True, f"signed: {IDENTITY} by {ISSUER}")


def signed_both_ways(case: Case, sigstore: Sigstore, identity: str = IDENTITY, issuer: str = ISSUER) -> None:
    subject = digest(case.upstream)
    sigstore.simple(case, subject, identity, issuer)
    refer(case, subject, SIGSTORE_BUNDLE, sigstore.bundle(statement(subject), identity, issuer))


@pytest.mark.parametrize(("identity", "issuer"), [("https://ci.test/fork", ISSUER), (IDENTITY, "https://other.test")])
def test_another_identity_or_issuer_counts_for_nothing(whole: Case, identity: str, issuer: str) -> None:
    sigstore = Sigstore()
    signed_both_ways(whole, sigstore, identity, issuer)
    signed, because = whole.judged(keyless(), trusted_root=sigstore.trusted_root)
    assert not signed
    assert because.count(f"it is signed by {identity}, whom the rule does not name") == 2


def test_another_sigstore_counts_for_nothing(whole: Case) -> None:
    signed_both_ways(whole, Sigstore())
    assert not whole.judged(keyless(), trusted_root=Sigstore().trusted_root)[0]


@pytest.mark.parametrize("part", ["ca", "ct", "rekor"])
def test_a_certificate_or_an_entry_by_another_authority_or_log_counts_for_nothing(whole: Case, part: str) -> None:
    sigstore = Sigstore()
    trusted_root = sigstore.trusted_root
    setattr(sigstore, part, Signer())
    signed_both_ways(whole, sigstore)
    assert not whole.judged(keyless(), trusted_root=trusted_root)[0]


def test_an_identity_may_be_a_pattern_of_the_whole(whole: Case) -> None:
    sigstore = Sigstore()
    signed_both_ways(whole, sigstore)
    pattern = Keyless(issuer=ISSUER, identity_pattern=r"https://ci\.test/org/app/release\.yaml@refs/tags/v[0-9.]+")
    assert whole.judged(keyless(pattern), trusted_root=sigstore.trusted_root)[0]
    short = Keyless(issuer=ISSUER, identity_pattern=r"https://ci\.test/org")
    assert not whole.judged(keyless(short), trusted_root=sigstore.trusted_root)[0]


def test_an_entry_about_another_payload_counts_for_nothing(whole: Case) -> None:
    sigstore = Sigstore()
    sigstore.simple(whole, digest(whole.upstream), value="0" * 64)
    assert "its log entry is about another signature" in whole.judged(keyless(), trusted_root=sigstore.trusted_root)[1]


def test_without_a_trusted_root_nothing_keyless_counts(whole: Case) -> None:
    signed_both_ways(whole, Sigstore())
    assert not whole.judged(keyless())[0]


def test_a_keyless_attestation_is_a_sigstore_bundle(whole: Case) -> None:
    sigstore, subject = Sigstore(), digest(whole.upstream)
    sigstore.simple(whole, subject)
    rule = SignatureRule(images="**", keyless=[KEYLESS], attestations=[SLSA])
    assert not whole.judged(rule, trusted_root=sigstore.trusted_root)[0]
    said = {"dev.sigstore.bundle.predicateType": SLSA}
    refer(whole, subject, SIGSTORE_BUNDLE, sigstore.bundle(statement(subject, SLSA)), annotations=said)
    assert whole.judged(rule, trusted_root=sigstore.trusted_root)[0]


def test_the_predicate_type_of_a_signature_is_cosigns() -> None:
    assert SIGNS == "https://sigstore.dev/cosign/sign/v1"
