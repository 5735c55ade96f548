"""What counts as an image in text that is no structure: arguments, environment values, scripts, Go templates.

Two rules. After a key that ends in ``image`` (``--solver-image=``, ``"image": ``, ``QUEUE_IMAGE=``) stands an image,
whatever it looks like. Anywhere else a word is suspected to be one when it parses as a reference and

- is pinned by a digest, or
- has a tag, a path below a host or organisation, and is not ``name/path:port`` (a short number without a host), or
- lies two or more levels below the host of a public registry, with or without a tag.

So ``cert-manager.io/v1``, ``otel.keda.svc:4317``, ``http://x/y`` and ``system:masters`` are no images.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .errors import BadInput
from .reference import Reference

PUBLIC_REGISTRIES = re.compile(
    r"(?:index\.)?docker\.io|(?:[a-z]+\.)?gcr\.io|ghcr\.io|quay\.io|registry\.k8s\.io|registry\.istio\.io"
    r"|mcr\.microsoft\.com|nvcr\.io|public\.ecr\.aws|[a-z0-9-]+-docker\.pkg\.dev"
)

_KEY = re.compile(r"(?:^|[\w./-])image\Z", re.IGNORECASE)

# A key that ends in image with its value, or a word that might be an image. The value may be made of Go template
# actions, which hold blanks; a quoted value ends at its quote.
WORDS = re.compile(
    r"""(?P<key>[\w./-]*image)(?P<between>["'`]?[ \t]*[:=][ \t]*)
        (?: "(?P<double>[^"\n]+)" | '(?P<single>[^'\n]+)' | (?P<bare>(?:\{\{.*?\}\}|[^\s"'`,;{}()])+) )
      | (?P<word>[A-Za-z0-9][A-Za-z0-9._/:@+-]*[A-Za-z0-9])""",
    re.IGNORECASE | re.VERBOSE,
)

_ACTION = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}")
_VALUE = re.compile(r"\.Values((?:\.\w+)+)")
_COMPUTED = {"ProxyImage": ("proxy", "image"), "ProxyInitImage": ("proxy_init", "image")}
"""What istiod computes for its templates from these values below ``global`` (istio: pkg/kube/inject/inject.go)."""


def is_image_key(key: str) -> bool:
    """Whether a value under ``key`` is an image by its name: ``image``, ``defaultJobImage``, ``RELATED_IMAGE``."""
    return bool(_KEY.search(key))


def parse(text: str) -> Reference | None:
    """``text`` as a reference, or None."""
    try:
        return Reference.parse(text)
    except BadInput:
        return None


def suspect(word: str) -> Reference | None:
    """``word`` as a reference when it looks like an image although nothing around it says so."""
    if "/" not in word:
        return None
    reference = parse(word)
    if reference is None:
        return None
    host = word.partition("/")[0]
    tag = word.rpartition("/")[2].partition(":")[2].partition("@")[0]
    if reference.digest or (PUBLIC_REGISTRIES.fullmatch(host) and word.count("/") > 1):
        return reference
    if tag and ("." in host or ":" in host or not re.fullmatch(r"\d{2,5}", tag)):
        return reference
    return None


def evaluate(template: str, values: Mapping[str, Any]) -> str | None:
    """``template`` with its values put in, when it joins at least two parts and every action is a plain value."""
    actions = _ACTION.findall(template)
    plain = [_VALUE.fullmatch(a) for a in actions]
    if not all(plain) or not actions or (len(actions) == 1 and _ACTION.fullmatch(template)):
        return None
    found = [_look_up(m.group(1), values) for m in plain if m]
    if any(f is None for f in found):
        return None
    parts = iter(str(f) for f in found)
    return _ACTION.sub(lambda _: next(parts), template)


def is_covered(template: str, values: Mapping[str, Any]) -> bool:
    """Whether what ``template`` yields is a value of ``values`` itself, which is found where it stands."""
    actions = _ACTION.findall(template)
    return bool(actions) and all(_is_known(a, values) for a in actions)


def _is_known(action: str, values: Mapping[str, Any]) -> bool:
    if computed := _COMPUTED.get(action.removeprefix(".")):
        return bool(_look_up(".global." + ".".join(computed), values))
    paths = _VALUE.findall(action)
    return bool(paths) and all(_look_up(p, values) for p in paths)


def _look_up(path: str, values: Mapping[str, Any]) -> str | int | float | None:
    found: Any = values
    for key in path.strip(".").split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, str | int | float) else None
