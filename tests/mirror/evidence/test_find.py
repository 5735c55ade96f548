"""Where upstream's evidence is looked for."""

from __future__ import annotations

import json

import pytest
from msgspec import ValidationError, convert

from mirror.evidence.find import BUNDLE, LARGEST, judged_as
from mirror.evidence.policy import Keyless, SignatureRule
from mirror.evidence.reader import fallback, parse_referrers
from mirror.layout import OCI_INDEX, OCI_MANIFEST, Descriptor, digest, encode
from mirror.reference import Reference

from .conftest import APP, SIGSTORE_BUNDLE, Case, Memory, Signer, leaf, refer, statement


def kinds(case: Case) -> list[tuple[str, str]]:
    return [(f.locked.kind, f.locked.reference) for f in case.found()]


def test_cosigns_three_tags_are_found(whole: Case) -> None:
    subject = digest(whole.upstream)
    name = f"{APP.name}:{subject.replace(':', '-')}"
    Signer().simple(whole, subject)
    Signer().attest(whole, subject, "x")
    whole.registry.push(whole.registry.artifact([("text/spdx+json", {}, b"{}")]), f"{subject.replace(':', '-')}.sbom")
    assert kinds(whole) == [("attestation", f"{name}.att"), ("sbom", f"{name}.sbom"), ("signature", f"{name}.sig")]


@pytest.mark.parametrize("speaks", [True, False], ids=["by the API", "by the tag that stands in for it"])
def test_referrers_are_found(whole: Case, speaks: bool) -> None:
    whole.registry.speaks_referrers = speaks
    made = refer(whole, digest(whole.upstream), "application/spdx+json", b"{}")
    assert kinds(whole) == [("sbom", f"{APP.name}:at-{made[7:19]}")]


def test_what_is_said_about_a_platform_is_found_if_it_is_kept(cut_case: Case) -> None:
    kept = leaf(cut_case)
    (left,) = [m["digest"] for m in json.loads(cut_case.upstream)["manifests"] if m["digest"] != kept]
    for subject in (kept, left):
        Signer().simple(cut_case, subject)
    assert [f.locked.subject for f in cut_case.found() if f.locked.kind == "signature"] == [kept]


def test_a_referrer_that_is_about_something_else_is_left_behind(whole: Case) -> None:
    whole.registry.speaks_referrers = False
    subject = digest(whole.upstream)
    made = refer(whole, "sha256:" + "0" * 64, "application/spdx+json", b"{}")
    entry = Descriptor(OCI_MANIFEST, made, 1).json()
    index = encode({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]})
    whole.registry.push(index, subject.replace(":", "-"))
    assert kinds(whole) == []


def test_what_buildkit_put_into_the_index_is_found_for_kept_platforms() -> None:
    registry = Memory()
    image = registry.image("amd64")
    said = registry.push(
        registry.artifact(
            [("application/vnd.in-toto+json", {"in-toto.io/predicate-type": "https://spdx.dev/Document"}, b"{}")]
        )
    )
    entry = {
        **Descriptor(OCI_MANIFEST, said, 1).json(),
        "platform": {"os": "unknown", "architecture": "unknown"},
        "annotations": {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": image},
    }  # fmt: skip
    upstream = registry.index({"amd64": image}, extra=[entry, {**entry, "annotations": {}}])
    carried = registry.index({"amd64": image}, "carried")
    found = Case(registry, upstream, carried).found()
    assert [(f.locked.kind, f.locked.subject) for f in found if f.locked.kind != "index"] == [("sbom", image)]


@pytest.mark.parametrize(
    ("type_", "kind"),
    [
        ("application/vnd.dev.cosign.artifact.sig.v1+json", "signature"),
        ("application/vnd.dev.cosign.artifact.att.v1+json", "attestation"),
        (SIGSTORE_BUNDLE, "signature"),
        ("application/vnd.cyclonedx+json", "sbom"),
        ("application/vnd.in-toto+json", "attestation"),
        ("application/vnd.cncf.notary.signature", None),
        ("application/vnd.example.scan", None),
    ],
)
def test_a_referrer_is_what_its_type_says(type_: str, kind: str | None) -> None:
    assert judged_as(encode({"artifactType": type_}), "") == kind
    assert judged_as(encode({"config": {"mediaType": type_}}), "") == kind


def test_a_bundle_with_another_predicate_is_an_attestation() -> None:
    said = {"dev.sigstore.bundle.predicateType": "https://slsa.dev/provenance/v1"}
    assert judged_as(encode({"artifactType": f"{BUNDLE}.v0.3+json", "annotations": said}), "") == "attestation"


def test_evidence_that_is_too_large_is_left_behind(whole: Case) -> None:
    subject = digest(whole.upstream)
    made = json.loads(whole.registry.artifact([("text/spdx+json", {}, b"{}")]))
    made["layers"][0]["size"] = LARGEST
    whole.registry.push(encode(made), f"{subject.replace(':', '-')}.sbom")
    assert kinds(whole) == []


def test_an_image_of_which_nothing_is_said_carries_nothing(cut_case: Case) -> None:
    assert kinds(cut_case) == []


def test_the_tag_that_stands_in_for_the_api_is_the_specifications() -> None:
    pinned = APP.with_digest("sha256:" + "a" * 64)
    assert fallback(pinned) == Reference("quay.io", "org/app", f"sha256-{'a' * 64}")


@pytest.mark.parametrize("index", [b"", b"[]", b'{"manifests": [1]}', b'{"manifests": [{}]}', b'{"manifests": null}'])
def test_a_malformed_index_of_referrers_counts_as_empty(index: bytes) -> None:
    assert parse_referrers(index) == []


# Rules


@pytest.mark.parametrize(
    ("pattern", "covers"),
    [("**", True), ("quay.io/org/*", True), ("quay.io/**", True), ("quay.io/*", False), ("quay.io/org/app", True),
     ("quay.io/org/ap", False), ("*/org/app", True), ("quayxio/org/app", False)],
)  # fmt: skip
def test_a_star_stays_inside_a_segment_and_two_do_not(pattern: str, covers: bool) -> None:
    assert SignatureRule(images=pattern, unsigned="There is a reason.").covers(APP) is covers


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"unsigned": "short"},
        {"keys": ["no key"]},
        {"keys": [Signer().pem], "unsigned": "There is a reason."},
        {"unsigned": "There is a reason.", "attestations": ["x"]},
        {"keyless": [{"issuer": "i"}]},
        {"keyless": [{"issuer": "i", "identity": "a", "identity_pattern": "b"}]},
        {"keyless": [{"issuer": "i", "identity_pattern": "("}]},
    ],
)
def test_a_rule_that_says_nothing_or_too_much_is_no_rule(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        convert({"images": "**", **fields}, SignatureRule)


def test_a_keyless_signer_is_named_by_who_vouches() -> None:
    assert str(Keyless(issuer="https://i", identity="a@b")) == "a@b by https://i"
    assert statement("sha256:aa")


@pytest.mark.parametrize(
    "content",
    [
        b"no json",
        b"[]",
        b"{}",
        b'{"schemaVersion": 2, "config": 3, "layers": []}',
        b'{"schemaVersion": 2, "config": {}, "layers": [3]}',
        b'{"schemaVersion": 2, "config": {"mediaType": "a", "digest": "b", "size": 1}, "layers": 4}',
        b'{"schemaVersion": 2, "config": {"mediaType": "a", "digest": "b", "size": 1}, "layers": [], "subject": 3}',
        b'{"schemaVersion": 2, "config": {"mediaType": "a", "digest": "b", "size": "x"}, "layers": []}',
    ],
)
def test_what_anybody_may_have_pushed_under_cosigns_tag_is_left_behind_when_malformed(
    whole: Case, content: bytes
) -> None:
    subject = digest(whole.upstream)
    whole.registry.push(content, f"{subject.replace(':', '-')}.sig")
    assert kinds(whole) == []
    assert whole.judged(Signer().rule()) == (False, "there is no signature")
