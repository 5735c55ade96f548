"""HTTP connections to one host: kept for the next request, over TLS unless plain, through a proxy if there is one."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import weakref
from http.client import HTTPConnection, HTTPSConnection
from ipaddress import ip_address
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from .authorities import Authorities

TIMEOUT = 60.0
"""Seconds without a byte after which a connection counts as broken."""


class Connections:
    """The connections to ``host[:port]``, taken and given back by threads; closed when nobody holds this any more.

    Without ``authorities`` they are plain HTTP.
    """

    def __init__(self, host: str, authorities: Authorities | None, *, timeout: float = TIMEOUT) -> None:
        self.host = host
        self.plain = authorities is None
        self._authorities = authorities
        self._timeout = timeout
        self._idle: list[HTTPConnection] = []
        self._lock = threading.Lock()
        self._proxy = _proxy(host, plain=self.plain)
        weakref.finalize(self, _close, self._idle)

    def take(self) -> tuple[HTTPConnection, bool]:
        """A connection, and whether it was used before: then the server may have closed it meanwhile."""
        with self._lock:
            if self._idle:
                return self._idle.pop(), True
        return self.fresh(), False

    def fresh(self) -> HTTPConnection:
        """A new connection; raises OSError when the host cannot be reached."""
        believed = self._authorities is None or self._authorities.all
        made = self._made()
        try:
            made.connect()
        except BaseException as e:
            made.close()
            if isinstance(e, ssl.SSLCertVerificationError) and self._authorities and not believed:
                self._authorities.read_all()
                return self.fresh()
            raise
        with contextlib.suppress(OSError):
            made.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def give_back(self, connection: HTTPConnection) -> None:
        """``connection`` has answered in full and can be used again."""
        with self._lock:
            self._idle.append(connection)

    def target(self, path: str) -> str:
        """What stands in the request line: a proxy of plain HTTP wants the whole URL."""
        return f"http://{self.host}{path}" if self._proxy and self.plain else path

    def _made(self) -> HTTPConnection:
        address = self._proxy or self.host
        if self._authorities is None:
            return HTTPConnection(address, timeout=self._timeout)
        made = HTTPSConnection(address, timeout=self._timeout, context=self._authorities.context)
        if self._proxy:
            made.set_tunnel(self.host)
        return made


def _close(idle: list[HTTPConnection]) -> None:
    for connection in idle:
        connection.close()


def _proxy(host: str, *, plain: bool) -> str | None:
    """``host:port`` of the proxy that the environment names for ``host``; never one for this machine itself."""
    name = urlsplit(f"//{host}").hostname or host
    with contextlib.suppress(ValueError):
        if ip_address(name).is_loopback:
            return None
    given = getproxies().get("http" if plain else "https")
    if name == "localhost" or not given or proxy_bypass(name):
        return None
    return urlsplit(given if "://" in given else f"http://{given}").netloc.rpartition("@")[2]
