"""Requests to the gateway exactly as they are written, and as slowly as one likes: what no HTTP client would send."""

from __future__ import annotations

import socket
import ssl
import time
from dataclasses import dataclass

from .environment import Environment
from .gateway import trust

_ENOUGH = 65536  # bytes of an answer


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    """0: nothing, or nothing that is HTTP."""
    text: str
    seconds: float
    """From the first byte sent to the first byte of the answer, or to the end of patience."""


def ask(
    environment: Environment,
    host: str,
    request: bytes,
    *,
    drop: bytes = b"",
    every: float = 0.5,
    patience: float = 30,
) -> Answer:
    """Send ``request`` to ``host``, then ``drop`` every so many seconds, until an answer comes or patience ends."""
    context = trust(environment.outputs.ca_certificate)
    with (
        socket.create_connection((environment.address, environment.port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=host) as connection,
    ):
        began = time.monotonic()
        connection.sendall(request)
        connection.settimeout(every if drop else patience)
        text = b""
        while not text and time.monotonic() - began < patience:
            try:
                text = connection.recv(_ENOUGH)
                if not text:
                    break
            except TimeoutError:
                if drop:
                    connection.sendall(drop)
            except (ssl.SSLError, OSError):
                break
        return Answer(_status(text), text.decode(errors="replace"), time.monotonic() - began)


def get(path: str, host: str, key: str | None) -> bytes:
    """A GET of ``path`` as it is."""
    return head("GET", path, host, key) + b"connection: close\r\n\r\n"


def head(method: str, path: str, host: str, key: str | None) -> bytes:
    """The beginning of a request; what it lacks is the empty line."""
    authorization = f"authorization: Bearer {key}\r\n" if key else ""
    return f"{method} {path} HTTP/1.1\r\nhost: {host}\r\n{authorization}".encode()


def _status(text: bytes) -> int:
    words = text.split(b" ", 2)
    return int(words[1]) if text.startswith(b"HTTP/") and len(words) > 1 and words[1].isdigit() else 0
