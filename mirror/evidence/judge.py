"""Whether an image is signed as the catalog's rules want it: the same judgement outside, and inside after the load."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..errors import Damaged, NotUpstream, Untrusted
from ..layout import INDEXES, Descriptor, digest, links
from ..lock import LockedEvidence, LockedImage
from ..parallel import parallel
from ..reference import Reference
from .find import SIGNS
from .policy import SignatureRule, rule_for
from .reader import Reader
from .statement import Layer, Statement, statements

if TYPE_CHECKING:
    from .keyless import TrustedSigners

AT_ONCE = 8
"""How many images are judged at the same time; each costs a few small requests."""


@dataclass(frozen=True)
class Document:
    """Evidence with its content."""

    evidence: LockedEvidence
    layers: Sequence[Layer]


@dataclass(frozen=True)
class Verdict:
    """Whether an image is signed as its rule wants, and by whom or why not."""

    image: str
    signed: bool
    because: str


@dataclass(frozen=True)
class Judge:
    """The rules, and the trusted root that keyless signers are judged by."""

    rules: Sequence[SignatureRule]
    trusted_root: Mapping[str, Any] | None = None

    @cached_property
    def _keyless(self) -> TrustedSigners | None:
        if self.trusted_root is None or not any(r.keyless for r in self.rules):
            return None
        from .keyless import TrustedSigners

        return TrustedSigners(self.trusted_root)

    def judge(self, image: LockedImage, carried: bytes, documents: Sequence[Document]) -> Verdict:
        """The verdict on ``image``, whose manifest or index is ``carried``, by what ``documents`` say of it."""
        rule = rule_for(Reference.parse(image.reference), self.rules)
        if rule is None:
            return Verdict(image.reference, not self.rules, "no rule of the catalog is about it")
        if rule.unsigned:
            return Verdict(image.reference, True, f"unsigned: {rule.unsigned}")
        said, refusals = _heard(documents, rule, self._keyless)
        whole = {image.digest} if digest(carried) == image.digest else set()
        if image.digest == image.upstream_digest or _cut_from(image, carried, documents):
            whole.add(image.upstream_digest)
        leaves = {d.digest for d in links(carried, image.reference)} if image.media_type in INDEXES else set()
        signer = _about(said, SIGNS, whole, leaves)
        if not signer:
            found = "; ".join(dict.fromkeys(refusals)) or "there is no signature"
            return Verdict(image.reference, False, found)
        for predicate in rule.attestations:
            if not _about(said, predicate, whole, leaves):
                return Verdict(image.reference, False, f"nobody whom the rule names attests {predicate}")
        return Verdict(image.reference, True, f"signed: {signer}")


def verdicts(
    judge: Judge, images: Iterable[LockedImage], name_of: Callable[[Reference], Reference], reader: Reader
) -> list[Verdict]:
    """Judge ``images`` by the evidence that the lock names, read under the names that ``name_of`` gives them.

    Raises RegistryRefused when it cannot be asked.
    """

    def one(image: LockedImage) -> Verdict:
        try:
            named = name_of(Reference.parse(image.reference))
            carried = reader.manifest(Reference(named.registry, named.repository, None, image.digest))
            if carried is None:
                return Verdict(image.reference, False, "the image is not there")
            return judge.judge(image, carried, [read(e, name_of, reader) for e in image.evidence if _judged(e)])
        except (NotUpstream, Damaged) as e:
            return Verdict(image.reference, False, f"{e.given}: {e.why}")

    return parallel(one, images, AT_ONCE)


def require(found: Sequence[Verdict]) -> None:
    """Raise Untrusted, naming each image, unless all are signed as their rules want."""
    refused = [v for v in found if not v.signed]
    if refused:
        raise Untrusted(
            f"{len(refused)} images are not signed as the catalog wants",
            "; ".join(f"{v.image}: {v.because}" for v in refused),
            "Ask upstream who signs; then write it, or why none need, into catalog/signatures.yaml.",
        )


def read(evidence: LockedEvidence, name_of: Callable[[Reference], Reference], reader: Reader) -> Document:
    """``evidence`` with the content of its layers; raises NotUpstream, RegistryRefused, Damaged."""
    named = name_of(Reference.parse(evidence.reference))
    pinned = Reference(named.registry, named.repository, None, evidence.digest)
    manifest = reader.manifest(pinned)
    if manifest is None:
        raise NotUpstream(str(pinned), "it is not there", "Load the bundle again.")
    return document(evidence, manifest, lambda d: reader.blob(pinned, manifest, d))


def document(evidence: LockedEvidence, manifest: bytes, blob: Callable[[Descriptor], bytes]) -> Document:
    """``evidence`` whose ``manifest`` is at hand, its layers fetched by ``blob``; raises Damaged for another digest."""
    layers = []
    for d in links(manifest, evidence.reference)[1:]:
        content = blob(d)
        if digest(content) != d.digest:
            raise Damaged(evidence.reference, f"a layer is {digest(content)}, not {d.digest}", "Fetch it again.")
        layers.append(Layer(d.media_type, d.annotations, content))
    return Document(evidence, layers)


def _judged(evidence: LockedEvidence) -> bool:
    return evidence.kind != "sbom"


def _heard(
    documents: Sequence[Document], rule: SignatureRule, keyless: TrustedSigners | None
) -> tuple[list[Statement], list[str]]:
    said, refusals = [], []
    for each in documents:
        for found in statements(each.layers, rule, keyless):
            if isinstance(found, str):
                refusals.append(f"{each.evidence.reference.rpartition(':')[2]}: {found}")
            elif each.evidence.subject in found.digests:
                said.append(found)
            else:
                refusals.append(f"{each.evidence.reference.rpartition(':')[2]}: it is about another image")
    return said, refusals


def _about(said: Sequence[Statement], predicate: str, whole: set[str], leaves: set[str]) -> str | None:
    """Who said ``predicate`` of one of ``whole``, or of every one of ``leaves``; None for nobody."""
    by_digest = {d: s.signer for s in said if s.predicate_type == predicate for d in s.digests}
    for d in sorted(whole):
        if d in by_digest:
            return by_digest[d]
    if leaves and leaves <= by_digest.keys():
        return ", ".join(sorted({by_digest[d] for d in leaves}))
    return None


def _cut_from(image: LockedImage, carried: bytes, documents: Sequence[Document]) -> bool:
    """Whether ``carried`` holds nothing but what upstream's own index, which is among ``documents``, held."""
    for each in documents:
        if each.evidence.kind != "index":
            continue
        for layer in each.layers:
            if digest(layer.content) == image.upstream_digest and image.media_type in INDEXES:
                upstream = {str(m["digest"]) for m in json.loads(layer.content)["manifests"]}
                return {d.digest for d in links(carried, image.reference)} <= upstream
    return False
