"""The images that the lock names: resolved to digests, cut to the platforms, and what upstream says of them judged."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from . import platforms
from .errors import NotUpstream
from .evidence.find import Found, find
from .evidence.judge import Document, Judge, Verdict, document, require
from .evidence.reader import FromSource, Reader
from .layout import INDEXES, digest, links, media_type
from .lock import LockedImage
from .parallel import each
from .progress import Report
from .reference import Reference
from .registry import Source
from .wanted import Wanted, key

AT_ONCE = 4
"""How many images are resolved at the same time; each costs a few small requests."""


def resolve_all(
    images: Sequence[Wanted], wanted_platforms: Sequence[str], source: Source, report: Report, judge: Judge
) -> list[LockedImage]:
    """Every one of ``images`` by digest, in their order; raises Untrusted naming all whose signatures do not hold."""
    reader = FromSource(source)

    def one(image: Wanted) -> tuple[LockedImage, Verdict]:
        resolved = resolve(image, wanted_platforms, source)
        locked, verdict = seen(resolved, reader, judge)
        report.say(f"image {locked.reference}@{locked.digest}{f' {verdict.because}' if judge.rules else ''}")
        return locked, verdict

    done = each(one, images, AT_ONCE)
    require([verdict for _, verdict in done])
    return [locked for locked, _ in done]


@dataclass(frozen=True)
class Resolved:
    """An image as upstream serves it, and as it is carried."""

    locked: LockedImage
    upstream: bytes
    carried: bytes


def seen(image: Resolved, reader: Reader, judge: Judge) -> tuple[LockedImage, Verdict]:
    """``image`` with the evidence that upstream has of it, and what the rules make of that."""
    reference, digest_ = Reference.parse(image.locked.reference), image.locked.upstream_digest
    found = find(reference, digest_, image.carried, image.upstream, reader)
    known = {digest_: image.upstream}
    documents = [document_of(f, reader, known) for f in found if judge.rules and f.locked.kind != "sbom"]
    verdict = judge.judge(image.locked, image.carried, documents)
    said = verdict.because if judge.rules else None
    return replace(image.locked, evidence=[f.locked for f in found], signature=said), verdict


def document_of(found: Found, reader: Reader, known: Mapping[str, bytes]) -> Document:
    """``found`` with its layers, of which those in ``known`` are at hand."""
    pinned = Reference.parse(found.locked.reference).with_digest(found.locked.digest).pinned()
    return document(
        found.locked,
        found.manifest,
        lambda d: known[d.digest] if d.digest in known else reader.blob(pinned, found.manifest, d),
    )


def resolve(image: Wanted, wanted_platforms: Sequence[str], source: Source) -> Resolved:
    """``image`` as upstream serves it now, cut to the platforms; raises NotUpstream naming where it was met."""
    try:
        upstream = source.raw_manifest(image.reference)
        content = platforms.cut(upstream, wanted_platforms) or upstream
    except NotUpstream as e:
        raise NotUpstream(f"image {image.reference} (met at {'; '.join(sorted(image.found))})", e.why, e.instead) from e
    named = image.reference.with_digest(digest(upstream))
    sizes = _sizes(content, named, source)
    locked = LockedImage(
        reference=key(image.reference),
        digest=digest(content),
        upstream_digest=digest(upstream),
        media_type=media_type(content, str(named)),
        platforms=_platforms(image, content, wanted_platforms),
        size=len(content) + sum(sizes.values()),
        licence=" AND ".join(
            f"({x})" if " OR " in x and len(image.licences) > 1 else x for x in sorted(image.licences)
        ),
        found=sorted(image.found),
    )
    return Resolved(locked, upstream, content)


def _platforms(image: Wanted, content: bytes, wanted_platforms: Sequence[str]) -> list[str]:
    """What the index says; a manifest without one is of a single platform and does not say which."""
    if media_type(content, str(image.reference)) in INDEXES:
        return sorted(platforms.platform(m) for m in json.loads(content)["manifests"])
    if len(wanted_platforms) > 1:
        raise NotUpstream(
            f"image {image.reference}",
            f"upstream has one image and no index, and {' and '.join(wanted_platforms)} are wanted",
            "Take one platform, or a tag that has an index.",
        )
    return []


def _sizes(manifest: bytes, named: Reference, source: Source) -> dict[str, int]:
    """Bytes of everything below ``manifest``, by digest: what stands in two platforms' images counts once."""
    below = links(manifest, str(named))
    sizes = {d.digest: d.size for d in below}
    if media_type(manifest, str(named)) in INDEXES:
        for d in below:
            sizes |= _sizes(source.raw_manifest(named.with_digest(d.digest)), named, source)
    return sizes
