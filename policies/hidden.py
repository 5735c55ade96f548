"""Images that hide in a document: in a ConfigMap's JSON, in arguments and environment variables of a controller.

Only before an update: CEL cannot read JSON that stands in a string. Inside the cluster such an image is judged when it
comes to the light, in the pod that is made from it.
"""

from __future__ import annotations

from collections.abc import Iterator

from mirror import discover

from .expected import Expected
from .rule import Document

NAME = "hidden-images"
SENTENCE = "Every image, wherever in a document it stands, is in the internal registry, by digest, and in the receipt."


def hidden_images(document: Document, expected: Expected) -> Iterator[str]:
    """What is wrong with the images of ``document``, each with its place."""
    for site in discover.find(document):
        if site.text in expected.exclusions:
            continue
        where = f"{site.path}: {site.text!r}"
        if site.reference is None:
            yield f"{where} holds an image that cannot be read"
        elif not site.text.startswith(f"{expected.registry}/"):
            yield f"{where} is not in the internal registry {expected.registry}"
        elif site.reference.digest is None:
            yield f"{where} is not named by digest"
        elif str(site.reference.pinned()) not in expected.images:
            yield f"{where} is not in the receipt: it never arrived"
