"""Which images the lock must hold: decided from the catalog and its rendered manifests, without touching anything."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from . import discover, render
from .catalog import Catalog, ModelcarSource, Part
from .discover import Site
from .errors import BadInput, Undiscovered
from .lock import LockedChart, LockedImages, LockedManifest
from .reference import Reference


@dataclass(frozen=True)
class Content:
    """A part as upstream serves it: what the lock says of it, and its manifests."""

    part: Part
    locked: LockedChart | LockedManifest | LockedImages
    documents: Sequence[render.Document] = ()


@dataclass(frozen=True)
class Place:
    """A site and where it stands."""

    part: Part
    document: str
    site: Site

    def __str__(self) -> str:
        return f"{self.part.name}: {self.document} {self.site.path}"


@dataclass(frozen=True)
class Wanted:
    """An image to carry: its name, the pin that a manifest gives it, its licences, and where it was met."""

    reference: Reference
    licences: frozenset[str]
    found: frozenset[str]
    parts: frozenset[str] = field(default_factory=frozenset)

    def joined(self, other: Wanted) -> Wanted:
        """This and ``other`` as one; raises BadInput when they are pinned to different digests."""
        pins = {r.digest for r in (self.reference, other.reference) if r.digest}
        if len(pins) > 1:
            raise BadInput(
                f"image {key(self.reference)}",
                f"it is pinned to {' and to '.join(sorted(pins))} ({'; '.join(sorted(self.found | other.found))})",
                "Take versions of the parts that agree.",
            )
        return Wanted(
            replace(self.reference, digest=next(iter(pins), None)),
            self.licences | other.licences,
            self.found | other.found,
            self.parts | other.parts,
        )


def key(reference: Reference) -> str:
    """The name of ``reference`` in the lock: ``registry/repository[:tag]``."""
    return str(replace(reference, digest=None))


def places(contents: Iterable[Content]) -> list[Place]:
    """Every place of an image in the manifests of ``contents``."""
    return [
        Place(content.part, render.title(document), site)
        for content in contents
        for document in content.documents
        for site in discover.find(document)
    ]


def unused_exclusions(catalog: Catalog, contents: Iterable[Content]) -> list[str]:
    """The exclusions that no manifest holds: left over from an earlier version."""
    there = {p.site.text for p in places(contents)}
    return sorted(e.value for e in catalog.exclusions if e.value not in there)


def wanted(catalog: Catalog, contents: Sequence[Content]) -> dict[str, Wanted]:
    """Every image to carry by its key: what manifests name for certain, the catalog's images and its runtimes'.

    Raises Undiscovered for a place whose text is no image reference, and for a text that looks like an image where
    nothing says so, unless it is excluded or carried anyway.
    """
    excluded = {e.value for e in catalog.exclusions}
    all_places = [p for p in places(contents) if p.site.text not in excluded]
    found: dict[str, Wanted] = {}
    for part in catalog.parts:
        for image in getattr(part.source, "images", []):
            _add(found, Reference.parse(image), part.licence, f"{part.name}: catalog", part.name)
    for model in catalog.models:
        if isinstance(model.source, ModelcarSource):
            _add(found, Reference.parse(model.source.reference), model.licence, f"model {model.name}: catalog", None)
    for runtime in catalog.runtimes:
        _add(found, Reference.parse(runtime.image), runtime.licence, f"runtime {runtime.name}: catalog", None)
    for certain in (True, False):
        for place in (p for p in all_places if p.site.certain is certain):
            reference = place.site.reference
            if reference is None or not (certain or key(reference) in found):
                raise _undiscovered(place)
            _add(found, reference, place.part.licence, str(place), place.part.name)
    return dict(sorted(found.items()))


def _add(found: dict[str, Wanted], reference: Reference, licence: str, where: str, part: str | None) -> None:
    new = Wanted(reference, frozenset([licence]), frozenset([where]), frozenset([part] if part else []))
    name = key(reference)
    found[name] = found[name].joined(new) if name in found else new


def _undiscovered(place: Place) -> Undiscovered:
    if place.site.reference is None:
        why = "an image belongs there, and this text is no image reference"
        instead = "Set the image by a value of the chart, or, if it is never pulled, "
    else:
        why = "it looks like an image, and nothing says that it is one"
        instead = "If it is pulled, name it in a part of kind images; if not, "
    return Undiscovered(
        f"{place.site.text!r} in {place}",
        why,
        instead + "add it to exclusions in catalog/platform.yaml with this text as value and a reason.",
    )
