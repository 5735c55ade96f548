"""Fetching a file from the web of the connected side."""

from __future__ import annotations

from urllib.parse import urlsplit

from .distribution.endpoint import Client
from .distribution.pull import Fetch, Target
from .errors import Damaged
from .lock import LockedFile


def download(url: str) -> bytes:
    """The content at ``url``; raises NotUpstream or RegistryRefused."""
    import httpx

    from .errors import NotUpstream, RegistryRefused

    try:
        answer = httpx.get(url, follow_redirects=True, timeout=60)
    except httpx.HTTPError as e:
        raise RegistryRefused(url, f"it cannot be reached: {e}", "See that the server answers.") from e
    if answer.status_code != httpx.codes.OK:
        raise NotUpstream(url, f"the server answers {answer.status_code}", "Correct the URL.")
    return answer.content


def fetch(client: Client, url: str, file: LockedFile, target: Target) -> None:
    """Bring the locked ``file`` at ``url`` into ``target``; raises Damaged when it is another, and as download does."""
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        source = Fetch(client.endpoint(parts.netloc, plain=parts.scheme == "http"), path, file.size, url)
        found = source.exactly(f"sha256:{file.sha256}", target)
    except Damaged as e:
        raise Damaged(url, f"{e.why}; the lock says {file.sha256}", "Lock again.") from e
    if found != f"sha256:{file.sha256}":
        raise Damaged(url, f"it is {found}, the lock says {file.sha256}", "Lock again.")
