"""Names of images that must not run, made from the receipt: each differs in one way from one that may."""

from __future__ import annotations

from dataclasses import dataclass

from mirror.receipt import Receipt
from mirror.reference import Reference

_NOWHERE = "sha256:" + "0123456789abcdef" * 4
_FOREIGN = "docker.io/library/busybox"


@dataclass(frozen=True)
class Images:
    """References that admission must refuse."""

    foreign_by_tag: str
    foreign_by_digest: str
    internal_by_tag: str
    internal_unknown: str
    """A repository of the internal registry at a digest that no bundle brought."""
    misnamed: str
    """A digest that arrived, under the name of another image."""

    @classmethod
    def of(cls, receipt: Receipt, image: str) -> Images:
        """Beside ``image`` (a mirrored name) of ``receipt``."""
        allowed = Reference.parse(image)
        name = image.partition("@")[0]
        other = next(i.mirrored for i in receipt.images if i.digest != allowed.digest)
        return cls(
            foreign_by_tag=f"{_FOREIGN}:latest",
            foreign_by_digest=f"{_FOREIGN}@{_NOWHERE}",
            internal_by_tag=f"{name}:latest",
            internal_unknown=f"{name}@{_NOWHERE}",
            misnamed=f"{name}@{Reference.parse(other).digest}",
        )
