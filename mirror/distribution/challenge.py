"""What a registry asks for when it answers 401: RFC 7235's WWW-Authenticate header."""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct

_PARAMETER = re.compile(r'\s*([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))\s*(?:,|$)')


class Challenge(Struct, frozen=True):
    """One scheme (in lower case) and its parameters."""

    scheme: str
    parameters: Mapping[str, str]


def parse(header: str) -> Challenge | None:
    """The challenge in ``header``; of several the one that we can answer (bearer before basic), or None."""
    found = {c.scheme: c for c in _all(header)}
    return found.get("bearer") or found.get("basic")


def _all(header: str) -> list[Challenge]:
    challenges: list[Challenge] = []
    rest = header.strip()
    while start := re.match(r"([A-Za-z][A-Za-z0-9-]*)(?:\s+|$)", rest):
        rest, parameters = rest[start.end() :], {}
        while found := _PARAMETER.match(rest):
            value = found[2] if found[2] is not None else found[3]
            parameters[found[1].lower()] = re.sub(r"\\(.)", r"\1", value)
            rest = rest[found.end() :].lstrip()
        challenges.append(Challenge(start[1].lower(), parameters))
        rest = rest.lstrip(", ")
    return challenges
