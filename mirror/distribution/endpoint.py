"""Asking a registry: logged in, tried again when that may help, redirected where it says, refused in plain words."""

from __future__ import annotations

import contextlib
import random
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from email.message import Message
from http.client import HTTPConnection, HTTPException, HTTPResponse, IncompleteRead
from pathlib import Path
from typing import TypeVar
from urllib.parse import urljoin, urlsplit

from msgspec import Struct, field

from ..errors import RegistryRefused
from . import refusals
from .auth import Authorization
from .authorities import Authorities
from .connection import TIMEOUT, Connections
from .credentials import Credentials

T = TypeVar("T")

LARGEST_ANSWER = 64 << 20
"""Bytes of an answer that is read into memory: manifests, indexes, error documents."""
REDIRECTS = frozenset({301, 302, 303, 307, 308})
AGAIN = frozenset({408, 429, 500, 502, 503, 504})
"""Statuses after which the same request may succeed."""
HOPS = 5
HEADERS = {"User-Agent": "sealift", "Accept-Encoding": "identity"}


class Patience(Struct, frozen=True):
    """How often and how long is tried."""

    attempts: int = 5
    """How often in a row without a byte's progress."""
    first: float = 0.5
    """Seconds before the second attempt; then twice as long each time."""
    longest: float = 60.0
    """Seconds that a registry may ask for at most (Retry-After)."""
    timeout: float = TIMEOUT
    sleep: Callable[[float], object] = time.sleep

    def wait(self, attempt: int, retry_after: str | None = None) -> None:
        """Wait before attempt number ``attempt`` + 1, as long as the registry says, or longer each time."""
        said = _seconds(retry_after)
        grown = self.first * 2 ** (attempt - 1) * random.uniform(0.8, 1.2)  # noqa: S311 - not a secret
        self.sleep(min(self.longest, said if said is not None else grown))


class Body(Struct, frozen=True):
    """What is sent: its bytes' number, and how it writes itself to a connection (again, when tried again)."""

    size: int
    write: Callable[[HTTPConnection], None]

    @classmethod
    def of(cls, content: bytes) -> Body:
        """A body that is in memory."""
        return cls(len(content), lambda connection: connection.send(content))


class Answer(Struct, frozen=True):
    """An answer that has been read in full."""

    status: int
    headers: Message
    body: bytes


class Exchange(Struct, frozen=True):
    """An answer whose body is still to be read, and the socket that it comes from (None: read the response alone)."""

    response: HTTPResponse
    socket: socket.socket | None


class TryAgain(Exception):
    """Something that may pass: the reason as an error of ours, and what the registry said about waiting."""

    def __init__(self, reason: Exception, retry_after: str | None = None, *, unreachable: bool = False) -> None:
        super().__init__(str(reason))
        self.unreachable = unreachable
        self.reason = reason
        self.retry_after = retry_after


class Client(Struct):
    """The registries of one side. ``ca_file`` (PEM) is trusted beside the system's authorities."""

    credentials: Credentials = field(default_factory=Credentials)
    ca_file: Path | None = None
    patience: Patience = field(default_factory=Patience)
    _endpoints: dict[tuple[str, bool], Endpoint] = field(default_factory=dict)
    _authorities: Authorities | None = None
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def endpoint(self, host: str, *, plain: bool = False) -> Endpoint:
        """The registry at ``host[:port]``; ``docker.io`` is where its registry really is."""
        host = "registry-1.docker.io" if host == "docker.io" else host
        with self._lock:
            if (host, plain) not in self._endpoints:
                self._endpoints[host, plain] = Endpoint(self, host, plain=plain)
            return self._endpoints[host, plain]

    def authorities(self) -> Authorities:
        """Whose certificates are believed."""
        with self._lock:
            if self._authorities is None:
                self._authorities = Authorities(self.ca_file)
            return self._authorities


class Endpoint:
    """One registry. Called from several threads."""

    def __init__(self, client: Client, host: str, *, plain: bool) -> None:
        self.host = host
        self.plain = plain
        self.patience = client.patience
        self._client = client
        self._reached = False
        authorities = None if plain else client.authorities()
        self._connections = Connections(host, authorities, timeout=client.patience.timeout)
        self._authorization = Authorization(host, client.credentials, self._token_server, plain)

    def request(
        self,
        method: str,
        path: str,
        *,
        subject: str,
        scopes: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """The answer, whatever its status, unless that says to try again later; raises RegistryRefused."""

        def once() -> Answer:
            sent = None if body is None else Body.of(body)
            with self.exchange(method, path, subject=subject, scopes=scopes, headers=headers, body=sent) as found:
                response = found.response
                answer = Answer(response.status, response.headers, _read(response, subject, method))
            if answer.status in AGAIN:
                raise TryAgain(refusals.of_status(subject, answer.status, answer.body), answer.headers["Retry-After"])
            return answer

        return self.patiently(once)

    def patiently(self, once: Callable[[], T], progress: Callable[[], int] = lambda: 0) -> T:
        """What ``once`` returns; it is called again after TryAgain, and is never given up while ``progress`` grows."""
        attempt, before = 1, progress()
        while True:
            try:
                return once()
            except TryAgain as e:
                if progress() > before:
                    attempt, before = 0, progress()
                elif attempt >= self.patience.attempts:
                    # Whoever asks next is not made to wait as long for a registry that is gone.
                    self._reached = self._reached and not e.unreachable
                    raise e.reason from e.__cause__
                self.patience.wait(attempt, e.retry_after)
                attempt += 1

    @contextmanager
    def exchange(
        self,
        method: str,
        path: str,
        *,
        subject: str,
        scopes: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
    ) -> Iterator[Exchange]:
        """One request and its answer, whose body the caller reads; 401 is answered and redirects are followed.

        Raises TryAgain when the connection fails, which the caller's reading may raise too.
        """
        connection, response = self._answered(method, path, subject, scopes, headers or {}, body)
        value = self._authorization.header(scopes)
        known = {**(headers or {}), **({"Authorization": value} if value else {})}
        with self._at_last(connection, response, method, self._url(path), subject, known, HOPS) as found:
            yield found

    @contextmanager
    def following(
        self, method: str, url: str, subject: str, headers: Mapping[str, str], hops: int
    ) -> Iterator[Exchange]:
        """A redirected request, which may be redirected ``hops`` times more."""
        parts = urlsplit(url)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        connection, response = self._sent(method, path or "/", subject, headers, None)
        with self._at_last(connection, response, method, url, subject, headers, hops) as found:
            yield found

    @contextmanager
    def _at_last(
        self,
        connection: HTTPConnection,
        response: HTTPResponse,
        method: str,
        url: str,
        subject: str,
        headers: Mapping[str, str],
        hops: int,
    ) -> Iterator[Exchange]:
        """``response``, or what it redirects to: on another host without authorization, as the link is permission."""
        if response.status not in REDIRECTS or method not in ("GET", "HEAD"):
            with self._using(connection, response, subject):
                yield Exchange(response, connection.sock)
            return
        target = urljoin(url, response.headers["Location"] or "")
        self._finish(connection, response)
        if not hops:
            raise RegistryRefused(subject, "it redirects without an end", "Ask another mirror.")
        passed = headers if urlsplit(target).netloc == self.host else _for_another(headers)
        with self._elsewhere(target, subject).following(method, target, subject, passed, hops - 1) as found:
            yield found

    def _answered(
        self,
        method: str,
        path: str,
        subject: str,
        scopes: Sequence[str],
        headers: Mapping[str, str],
        body: Body | None,
    ) -> tuple[HTTPConnection, HTTPResponse]:
        value = self._authorization.header(scopes)
        for _ in range(2):
            authorized = {**headers, "Authorization": value} if value else headers
            connection, response = self._sent(method, path, subject, authorized, body)
            asked = response.headers["WWW-Authenticate"]
            if response.status != 401 or not asked:
                break
            self._finish(connection, response)
            value = self._authorization.answer(asked, scopes, value)
        else:
            raise RegistryRefused(subject, "unauthorized: its credentials were refused", refusals.LOG_IN)
        return connection, response

    def _sent(
        self, method: str, path: str, subject: str, headers: Mapping[str, str], body: Body | None
    ) -> tuple[HTTPConnection, HTTPResponse]:
        """Send and wait for the head of the answer; a kept connection that the server has closed is replaced once."""
        while True:
            connection, reused = None, False
            try:
                connection, reused = self._connections.take()
                connection.putrequest(method, self._connections.target(path), skip_accept_encoding=True)
                for name, value in {**HEADERS, **headers}.items():
                    connection.putheader(name, value)
                if body is not None or method in ("POST", "PUT", "PATCH"):
                    connection.putheader("Content-Length", str(body.size if body else 0))
                connection.endheaders()
                if body is not None and body.size:
                    body.write(connection)
                response = connection.getresponse()
                self._reached = True
                return connection, response
            except (OSError, HTTPException) as e:
                if connection:
                    connection.close()
                if reused and not isinstance(e, TimeoutError):
                    continue
                raise self._failure(subject, e) from e
            except BaseException:
                if connection:
                    connection.close()
                raise

    @contextmanager
    def _using(self, connection: HTTPConnection, response: HTTPResponse, subject: str) -> Iterator[None]:
        try:
            yield
        except (OSError, HTTPException) as e:
            connection.close()
            response.close()
            raise self._failure(subject, e) from e
        except BaseException:
            connection.close()
            response.close()
            raise
        self._finish(connection, response)

    def _finish(self, connection: HTTPConnection, response: HTTPResponse) -> None:
        """Keep the connection when the answer has been read to its end, or to little before it."""
        with contextlib.suppress(OSError, HTTPException):  # What is left of it is not wanted.
            if not response.isclosed() and (response.length or 0) <= 1 << 16:
                response.read()
        if response.isclosed() and connection.sock is not None:
            self._connections.give_back(connection)
        else:
            connection.close()
        response.close()

    def _failure(self, subject: str, e: Exception) -> Exception:
        reason = refusals.of_failure(f"{subject} at {self.host}", e)
        if not self._reached or isinstance(e, ssl.SSLCertVerificationError):
            return reason  # A wrong address or certificate is not mended by waiting.
        return TryAgain(reason, unreachable=True)

    def _url(self, path: str) -> str:
        return f"{'http' if self.plain else 'https'}://{self.host}{path}"

    def _elsewhere(self, url: str, subject: str) -> Endpoint:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc or (parts.scheme == "http" and not self.plain):
            raise RegistryRefused(subject, f"it redirects to {parts.scheme}://{parts.netloc}", "Ask another mirror.")
        return self._client.endpoint(parts.netloc, plain=parts.scheme == "http")

    def _token_server(self, method: str, url: str, headers: dict[str, str], body: bytes | None) -> tuple[int, bytes]:
        parts = urlsplit(url)
        server = self._client.endpoint(parts.netloc, plain=parts.scheme == "http")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

        def once() -> tuple[int, bytes]:
            sent = None if body is None else Body.of(body)
            connection, response = server._sent(method, path, parts.netloc, headers, sent)
            with server._using(connection, response, parts.netloc):
                content = _read(response, parts.netloc, method)
            if response.status in AGAIN:
                reason = refusals.of_status(parts.netloc, response.status, content)
                raise TryAgain(reason, response.headers["Retry-After"])
            return response.status, content

        return server.patiently(once)


def _read(response: HTTPResponse, subject: str, method: str) -> bytes:
    if method == "HEAD":
        return response.read()
    content = response.read(LARGEST_ANSWER + 1)
    if response.length and len(content) <= LARGEST_ANSWER:
        raise IncompleteRead(content, response.length)
    if len(content) > LARGEST_ANSWER:
        raise RegistryRefused(subject, f"it answers with more than {LARGEST_ANSWER:,} bytes", "Ask another mirror.")
    return content


def _for_another(headers: Mapping[str, str]) -> dict[str, str]:
    """What may be told to the server that one is redirected to: no secret."""
    return {k: v for k, v in headers.items() if k.lower() != "authorization"}


def _seconds(retry_after: str | None) -> float | None:
    """Retry-After: seconds or a date (RFC 9110, 10.2.3); None when it is absent or neither."""
    if not retry_after:
        return None
    if retry_after.strip().isdigit():
        return float(retry_after)
    try:
        from email.utils import parsedate_to_datetime

        return max(0.0, (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
