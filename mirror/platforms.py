"""Cutting an image index to the platforms that a bundle carries."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from .errors import NotUpstream
from .layout import INDEXES, digest, encode, media_type

# What a platform without a variant means: github.com/containerd/platforms, normalizeArch.
_DEFAULT_VARIANT = {"arm64": "v8", "arm": "v7"}


def cut(index: bytes, platforms: Sequence[str]) -> bytes | None:
    """``index`` with only the manifests of ``platforms`` (``os/architecture[/variant]``), or None when it is as wanted.

    A single manifest is never cut. Build attestations go with the platforms that are cut away and with all others:
    they are listed as platform ``unknown/unknown``. The rest of the document is kept in its order, so the result
    and its digest depend on the input alone. Raises NotUpstream when a wanted platform is absent.
    """
    origin = f"index {digest(index)}"
    if media_type(index, origin) not in INDEXES:
        return None
    document = json.loads(index)
    offered = document["manifests"]
    kept = [m for m in offered if any(_matches(m, p) for p in platforms)]
    for wanted in platforms:
        if not any(_matches(m, wanted) for m in kept):
            there = ", ".join(sorted({platform(m) for m in offered if _known(m)})) or "none"
            raise NotUpstream(origin, f"it has no image for {wanted}", f"Take platforms that it has: {there}.")
    return None if len(kept) == len(offered) else encode({**document, "manifests": kept})


def platform(entry: dict[str, Any]) -> str:
    """``os/architecture[/variant]`` of an index's entry; ``unknown/unknown`` where it says none."""
    said = entry.get("platform") or {}
    parts = [said.get("os", "unknown"), said.get("architecture", "unknown"), said.get("variant")]
    return "/".join(p for p in parts if p)


def _matches(entry: dict[str, Any], wanted: str) -> bool:
    return _normal(platform(entry)) == _normal(wanted)


def _normal(name: str) -> tuple[str, str, str | None]:
    system, _, rest = name.partition("/")
    architecture, _, variant = rest.partition("/")
    return system, architecture, variant or _DEFAULT_VARIANT.get(architecture)


def _known(entry: dict[str, Any]) -> bool:
    return "unknown" not in platform(entry)
