"""An image whose name stands in several fields of one object: ``{registry, repository, tag, digest}`` and its kin."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_BASES = ("repository", "image")
_TAGS = ("tag", "imageTag", "defaultImageVersion")  # the last is KServe's, of explainers


@dataclass(frozen=True)
class NameParts:
    """Which fields hold which part, and the name that they make together.

    Whoever reads such fields joins them as ``[registry/]base:tag`` or ``[registry/]base@digest``. A digest is put
    into a ``digest`` field where there is one, else as ``base: <name>@sha256`` and ``tag: <hex>``, which joined with
    a colon is a pinned name again.
    """

    base: str
    registry: str | None
    tag: str | None
    digest: str | None
    text: str

    @classmethod
    def of(cls, node: Mapping[str, Any]) -> NameParts | None:
        """The parts in ``node``, or None: a whole image beside an unrelated field, a Git repository, Istio's hub."""
        base = next((k for k in _BASES if isinstance(node.get(k), str) and node[k]), None)
        tag = next((k for k in _TAGS if isinstance(node.get(k), str | int | float)), None)
        digest = "digest" if isinstance(node.get("digest"), str) else None
        if base is None or not (tag or digest) or "hub" in node or "://" in node[base]:
            return None
        if base == "image" and (_is_whole(node[base]) or not (digest or node[str(tag)])):
            return None
        registry = "registry" if isinstance(node.get("registry"), str) and node["registry"] else None
        text = f"{node[registry]}/{node[base]}" if registry else str(node[base])
        if digest and node[digest]:
            text += f"@{node[digest]}"
        elif tag and node[tag] != "":
            text += f":{node[tag]}"
        return cls(base, registry, tag, digest, text)

    def fields(self, node: Mapping[str, Any]) -> dict[str, Any]:
        """The fields of ``node`` that make the name."""
        return {k: node[k] for k in (self.base, self.tag, self.digest, self.registry) if k}

    def holding(self, image: str) -> dict[str, Any]:
        """The same fields, making up ``image``."""
        name, separator, rest = image.partition("@") if self.digest else image.rpartition(":")
        if not separator or "/" in rest:
            name, rest = image, ""
        out: dict[str, Any] = {self.base: name}
        if self.registry:
            out[self.registry], _, out[self.base] = name.partition("/")
        if self.tag:
            out[self.tag] = "" if self.digest else rest
        if self.digest:
            out[self.digest] = rest
        return out


def _is_whole(image: str) -> bool:
    """Whether ``image`` has a tag or a digest of its own."""
    return bool(re.search(r"[:@][^/]*\Z", image.removesuffix("@sha256")))
