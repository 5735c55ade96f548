"""What the rules compare with: the receipt of the load.

Pulumi gives a policy pack no stack configuration, so the environment says where the receipt lies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mirror.errors import BadInput
from mirror.receipt import Receipt

RECEIPT_VARIABLE = "SEALIFT_RECEIPT"
"""Environment variable with the path of receipt.json."""


@dataclass(frozen=True)
class Expected:
    """The internal registry and what is in it."""

    registry: str
    """``host[:port][/prefix]``."""
    images: frozenset[str]
    """Every image and model that arrived, as ``<registry>/<name>@<digest>``."""
    exclusions: frozenset[str] = field(default_factory=frozenset)
    """Texts that look like images and are none, or are known and not shipped."""

    @classmethod
    def of(cls, receipt: Receipt) -> Expected:
        """What ``receipt`` proves."""
        images = [i.mirrored for i in receipt.images] + [m.mirrored for m in receipt.models]
        return cls(receipt.registry, frozenset(images), frozenset(e.value for e in receipt.exclusions))


def expected(environment: Mapping[str, str], usual: Path) -> Expected:
    """By $SEALIFT_RECEIPT, else by the receipt at ``usual``; raises BadInput when there is neither."""
    given = environment.get(RECEIPT_VARIABLE)
    if not given and not usual.is_file():
        why = f"nothing says which images are allowed: {RECEIPT_VARIABLE} is not set and {usual} does not exist"
        raise BadInput("policy pack", why, f"Set {RECEIPT_VARIABLE} to the path of the stack's receipt.json.")
    return Expected.of(Receipt.read(Path(given) if given else usual))
