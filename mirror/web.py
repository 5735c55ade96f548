"""Fetching a file from the web of the connected side."""

from __future__ import annotations

import httpx

from .errors import NotUpstream, RegistryRefused


def download(url: str) -> bytes:
    """The content at ``url``; raises NotUpstream or RegistryRefused."""
    try:
        answer = httpx.get(url, follow_redirects=True, timeout=60)
    except httpx.HTTPError as e:
        raise RegistryRefused(url, f"it cannot be reached: {e}", "See that the server answers.") from e
    if answer.status_code != httpx.codes.OK:
        raise NotUpstream(url, f"the server answers {answer.status_code}", "Correct the URL.")
    return answer.content
