"""The receipt as the rules read it: a ConfigMap from digest to name, so that one look-up judges an image."""

from __future__ import annotations

from collections import defaultdict

from mirror.errors import BadInput
from mirror.receipt import Receipt

from .rule import Document
from .scope import RECEIPT_NAMESPACE

NAME = "sealift-receipt"
_LIMIT = 1_000_000  # bytes; the API server takes objects of 1 MiB and some
_ENTRY = 8  # bytes around a key and its value


def receipt_data(*receipts: Receipt) -> dict[str, str]:
    """Hex of the digest -> its names in the internal registry, without digest; several are separated by a space.

    Images and weights of all ``receipts``. A ConfigMap's key cannot hold the ``:`` of ``sha256:``. Raises BadInput when
    it would not fit.
    """
    names: defaultdict[str, set[str]] = defaultdict(set)
    for receipt in receipts:
        for mirrored in [i.mirrored for i in receipt.images] + [m.mirrored for m in receipt.models]:
            name, _, digest = mirrored.partition("@sha256:")
            names[digest].add(name)
    data = {digest: " ".join(sorted(found)) for digest, found in sorted(names.items())}
    if (size := sum(len(k) + len(v) + _ENTRY for k, v in data.items())) > _LIMIT:
        why = f"its {len(data)} digests make a ConfigMap of {size} bytes, and the API server takes {_LIMIT}"
        raise BadInput("receipt", why, "Load what the site needs: several thousand images fit.")
    return data


def receipt_parameter(data: dict[str, str]) -> Document:
    """The ConfigMap that the policies name as their parameter."""
    metadata = {"name": NAME, "namespace": RECEIPT_NAMESPACE}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
