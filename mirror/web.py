"""Fetching a file from the web of the connected side."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from .distribution.endpoint import Client
from .distribution.pull import Fetch, Target, exactly
from .errors import Damaged, NotUpstream, RegistryRefused
from .growing import PIECE
from .lock import LockedFile


def download(url: str, accept: str = "*/*") -> bytes:
    """The content at ``url``; ``accept`` is the media type that is asked for. Raises NotUpstream or RegistryRefused."""
    return b"".join(_pieces(url, accept))


def save(url: str, path: Path) -> LockedFile:
    """Write what is at ``url`` to ``path``; gives its sum and size. Raises NotUpstream or RegistryRefused."""
    hashed, size = hashlib.sha256(), 0
    with path.open("wb") as f:
        for piece in _pieces(url, "*/*"):
            hashed.update(piece)
            size += f.write(piece)
    return LockedFile(name=path.name, sha256=hashed.hexdigest(), size=size)


@cache
def _authorities() -> ssl.SSLContext:
    """httpx's own choice, made once: reading the authorities takes longer than a small file."""
    import httpx

    return httpx.create_ssl_context()


def _pieces(url: str, accept: str) -> Iterator[bytes]:
    import httpx

    headers = {"Accept": accept, "Accept-Encoding": "identity"}
    try:
        with httpx.stream(
            "GET", url, headers=headers, follow_redirects=True, timeout=60, verify=_authorities()
        ) as answer:
            if answer.status_code != httpx.codes.OK:
                raise NotUpstream(url, f"the server answers {answer.status_code}", "Correct the URL.")
            yield from answer.iter_bytes(PIECE)
    except httpx.HTTPError as e:
        raise RegistryRefused(url, f"it cannot be reached: {e}", "See that the server answers.") from e


def read(path: Path, file: LockedFile, target: Target) -> None:
    """Bring the ``file`` that lies at ``path`` into ``target``, going on where it is; raises Damaged."""
    wanted = f"sha256:{file.sha256}"
    there = path.is_file() and path.stat().st_size == file.size
    if not there or exactly(wanted, target, lambda target: _append(path, target)) != wanted:
        raise Damaged(str(path), f"it is not the locked file (sha256 {file.sha256})", "Lock again.")


def _append(path: Path, target: Target) -> None:
    buffer = memoryview(bytearray(PIECE))
    with path.open("rb", buffering=0) as f:
        f.seek(target.position)
        while count := f.readinto(buffer):
            target.write(buffer[:count])


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
