"""Reading every byte of a bundle and naming whatever is missing or damaged, all of it and not the first alone."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .bundle import Bundle
from .errors import Damaged
from .layout import BOOTSTRAP, METADATA, PARTS_LIST, TOP, Descriptor, read_segments
from .lock import LockedFile
from .model_image import check_layer
from .parallel import each
from .parts import Parted, blob_path, part_name
from .parts_verify import digest_expected, digest_of, read_part, sizes_agree
from .progress import Report

AGAIN = "Ask for it again: --request FILE writes what `sealift bundle repair` needs on the other side."
CORES = os.cpu_count() or 1
PIECE = 1 << 20


@dataclass(frozen=True)
class Wrong:
    """A file of a bundle that is missing or damaged."""

    name: str
    """Path in the bundle."""
    why: str


class NotWhole(Damaged):
    """A bundle of which some files are missing or damaged: ``wrong`` names them all."""

    def __init__(self, bundle: Bundle, wrong: Sequence[Wrong]) -> None:
        root = bundle.layout.path
        if len(wrong) == 1:
            given, why = str(root / wrong[0].name), wrong[0].why
        else:
            given = f"{len(wrong)} files of {root}"
            why = "; ".join(f"{w.name}: {w.why}" for w in wrong)
        super().__init__(given, why, AGAIN)
        self.bundle = bundle
        self.wrong = list(wrong)


def check_parts(bundle: Bundle, layout: Parted, report: Report) -> Mapping[str, str]:
    """Read all parts; gives the digest of each file of the stream. Raises NotWhole naming the parts that are wrong."""
    sizes_agree(layout)
    report.begin("bundle verify", sum(p.size for p in layout.parts.parts))
    numbered = list(enumerate(layout.parts.parts, 1))
    found = each(lambda n: read_part(layout, n[0], n[1], report.advance), numbered, CORES)
    wrong = [Wrong(p.name, f.wrong) for p, f in zip(layout.parts.parts, found, strict=True) if f.wrong]
    if wrong:
        raise NotWhole(bundle, wrong)
    if misplaced := sorted({m for f in found for m in f.misplaced}):
        raise Damaged(str(layout.path), f"the stream of its parts is not as sealift writes it: {misplaced[0]}", AGAIN)
    digests = {path: d for f in found for path, d in f.digests.items()}
    across = [p for p in layout.stream.places if p.file.path not in digests]
    found_across = each(lambda p: digest_of(layout, p), across, CORES)
    digests |= zip([p.file.path for p in across], found_across, strict=True)
    for path, digest in digests.items():
        if digest != digest_expected(layout, path):
            raise Damaged(f"{layout.path} {path}", f"its content is {digest}", AGAIN)
    return digests


def check_blobs(bundle: Bundle, graph: Iterable[Descriptor], weights: Mapping[str, LockedFile], report: Report) -> None:
    """Read what ``graph`` names, files of models against the lock too; raises NotWhole naming all that is wrong."""
    wanted = list(graph)
    if not isinstance(bundle.layout, Parted):
        report.begin("bundle verify", sum(d.size for d in wanted))
    else:
        wanted = [d for d in wanted if d.digest in weights]  # The rest was read with the parts.

    def one(d: Descriptor) -> Wrong | None:
        try:
            why = _wrong(bundle, d, weights.get(d.digest))
        except Damaged as e:
            why = e.why
        if not isinstance(bundle.layout, Parted):
            report.advance(d.size)
        return Wrong(blob_path(d.digest), why) if why else None

    if wrong := [w for w in each(one, wanted, CORES) if w]:
        raise NotWhole(bundle, sorted(wrong, key=lambda w: w.name))


def reached(bundle: Bundle) -> dict[str, Descriptor]:
    """Everything that the entries lead to, by digest; raises NotWhole naming all manifests that cannot be read."""
    found: dict[str, Descriptor] = {}
    wrong: dict[str, Wrong] = {}
    for entry in bundle.contents.entries:
        try:
            found |= {d.digest: d for d in bundle.layout.walk(bundle.descriptor(entry))}
        except Damaged as e:
            digest = next((d for d in [entry.digest, *found] if str(bundle.layout.blob(d)) == e.given), None)
            name = e.given.removeprefix(f"{bundle.layout.path}/") if digest is None else blob_path(digest)
            wrong[name] = Wrong(name, e.why)
    if wrong:
        raise NotWhole(bundle, [wrong[n] for n in sorted(wrong)])
    return found


def nothing_extra(bundle: Bundle, reachable: set[str]) -> None:
    """Raise Damaged for a file that nothing in the lock leads to."""
    root, layout = bundle.layout.path, bundle.layout
    names = set(TOP) - ({BOOTSTRAP} if bundle.lock.bootstrap is None else set())
    if isinstance(layout, Parted):
        names |= {PARTS_LIST, *(part_name(n) for n in range(1, len(layout.parts.parts) + 1))}
    else:
        names |= {blob_path(d) for d in reachable if d not in bundle.omitted}
    for directory, _, files in os.walk(root):
        for file in sorted(files):
            path = os.path.join(directory, file)  # noqa: PTH118 - thousands of them
            inside = os.path.relpath(path, root)
            if inside.startswith(f"{METADATA}{os.sep}"):
                continue  # Signatures are verified apart, against a pinned root.
            if inside not in names or os.path.islink(path):  # noqa: PTH114
                where = "nothing in the lock leads to this file"
                raise Damaged(path, where, "Remove it, or carry the bundle again.")


def _wrong(bundle: Bundle, d: Descriptor, file: LockedFile | None) -> str | None:
    actual = bundle.layout.size(d.digest)
    if actual != d.size:
        return "missing" if actual is None else f"it has {actual} bytes of {d.size}"
    pieces = read_segments(bundle.layout.segments(d.digest), memoryview(bytearray(min(PIECE, max(d.size, 1)))))
    if file:
        found = check_layer(pieces, file, blob_path(d.digest))
    else:
        hashed = hashlib.sha256()
        for piece in pieces:
            hashed.update(piece)
        found = f"sha256:{hashed.hexdigest()}"
    return None if found == d.digest else f"its content is {found}"
