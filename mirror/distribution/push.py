"""Pushing: each blob once, mounted where another repository has it, continued where an upload broke off."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Callable, MutableMapping, Sequence
from http.client import HTTPConnection
from typing import BinaryIO
from urllib.parse import urlencode, urljoin, urlsplit

from msgspec import Struct, field

from ..errors import Damaged, RegistryRefused
from ..layout import Descriptor
from . import refusals
from .endpoint import AGAIN, Answer, Body, Endpoint, TryAgain

CHUNK = 256 << 20
"""Bytes of a blob above which it is sent in several requests: at most so much is sent twice."""
PIECE = 1 << 20
SMALL = 64 << 10
"""Bytes of a blob that may be sent in vain, to learn whether the registry takes it with the first request."""

Segment = tuple[BinaryIO, int, int]
"""An open file, the first byte and how many of it."""
OpenAt = Callable[[int, int], Sequence[Segment]]
"""Where bytes ``start`` to ``end`` of the blob lie: in one file, or in several one after another."""
Sent = Callable[[int], None]
"""Is told how many bytes have gone."""


def push_scopes(repository: str, other: str | None = None) -> list[str]:
    """The scopes of a token that may write to ``repository`` and mount from ``other``."""
    scopes = [f"repository:{repository}:pull,push"]
    return [*scopes, f"repository:{other}:pull"] if other else scopes


def exists(endpoint: Endpoint, repository: str, d: Descriptor) -> bool:
    """Whether ``repository`` has the blob, in its full size."""
    path, subject = f"/v2/{repository}/blobs/{d.digest}", f"{endpoint.host}/{repository}"
    answer = endpoint.request("HEAD", path, subject=subject, scopes=push_scopes(repository))
    if answer.status == 404:
        return False
    if answer.status != 200:
        raise refusals.of_status(subject, answer.status, answer.body)
    said = answer.headers["Content-Length"]
    return said is None or int(said) == d.size


class Uploads(Struct):
    """Uploads to one registry: what it can do is learnt from its answers. Called from several threads."""

    endpoint: Endpoint
    locations: MutableMapping[str, str] = field(default_factory=dict)
    """Where uploads of several requests stand, by ``repository@digest``: another process can go on with them."""
    one_request: bool | None = None
    """Whether the registry takes a blob with the request that begins the upload; None before it was tried."""
    _begun: dict[str, str] = field(default_factory=dict)
    """Uploads that a mount which the registry would not do has begun instead."""

    def mount(self, repository: str, d: Descriptor, other: str) -> bool:
        """Make a blob of the repository ``other`` one of ``repository`` too; False when the registry will not."""
        answer = self.begin(repository, urlencode({"mount": d.digest, "from": other}), push_scopes(repository, other))
        if answer.status == 202 and (location := answer.headers["Location"]):
            self._begun[f"{repository}@{d.digest}"] = self.path(location, repository)
        return answer.status == 201

    def send(self, repository: str, d: Descriptor, open_at: OpenAt, sent: Sent) -> None:
        """Upload the blob; the registry checks its digest. Raises RegistryRefused."""
        key = f"{repository}@{d.digest}"
        fresh, noted = self._begun.pop(key, None), self.locations.get(key)
        one = _Upload(
            self, repository, d, open_at, sent, key, fresh or noted, known=fresh is None and noted is not None
        )
        try:
            self.endpoint.patiently(one.run, lambda: one.acknowledged)
        except RegistryRefused:
            if one.refused:  # Whatever this upload holds is wrong, or gone: the next run begins anew.
                self.locations.pop(key, None)
            raise
        self.locations.pop(key, None)

    def begin(self, repository: str, query: str, scopes: Sequence[str]) -> Answer:
        """Begin an upload, or mount."""
        path, subject = f"/v2/{repository}/blobs/uploads/", f"{self.endpoint.host}/{repository}"
        answer = self.endpoint.request("POST", f"{path}?{query}" if query else path, subject=subject, scopes=scopes)
        if answer.status not in (201, 202):
            raise refusals.of_status(subject, answer.status, answer.body)
        return answer

    def path(self, location: str, repository: str) -> str:
        """The path of an upload; raises RegistryRefused when it lies on another host."""
        scheme = "http" if self.endpoint.plain else "https"
        base = f"{scheme}://{self.endpoint.host}/v2/{repository}/blobs/uploads/"
        parts = urlsplit(urljoin(base, location))
        if _host(parts.netloc) != _host(self.endpoint.host):
            raise RegistryRefused(
                self.endpoint.host,
                f"it wants uploads sent to {parts.netloc}",
                "Use the registry by the name it knows itself by, or set that name in it.",
            )
        return parts.path + (f"?{parts.query}" if parts.query else "")


class _Upload(Struct):
    """One blob on its way."""

    uploads: Uploads
    repository: str
    d: Descriptor
    open_at: OpenAt
    sent: Sent
    subject: str
    location: str | None
    known: bool
    """Whether this upload was tried before, so that the registry may hold something of it."""
    acknowledged: int = 0
    """Bytes that the registry has said it holds."""
    reported: int = 0
    refused: bool = False
    """Whether the registry's last word was that it will not have this upload."""

    def run(self) -> None:
        """Go on from where the registry says it is, to the end."""
        self.refused = False
        scopes = push_scopes(self.repository)
        position = self._position(scopes) if self.location and self.known else 0
        if self.location is None and self.known and exists(self.uploads.endpoint, self.repository, self.d):
            self._report(self.d.size)  # The registry finished it after the connection had broken off.
            return
        self.known = True
        self.acknowledged = max(self.acknowledged, position)
        self._report(position)
        if self.location is None and self.d.size <= CHUNK and self.uploads.one_request is not False:
            if self._in_one_request(scopes):
                return
        elif self.location is None:
            self._begun(self.uploads.begin(self.repository, "", scopes))
        while self.d.size - position > CHUNK:
            position = self._patch(position, position + CHUNK, scopes)
        self._put(position, scopes)

    def _in_one_request(self, scopes: Sequence[str]) -> bool:
        """Whether the blob arrived with the request that begins an upload; tried once, with a small one."""
        if self.uploads.one_request is None and self.d.size > SMALL:
            self._begun(self.uploads.begin(self.repository, "", scopes))
            return False
        path = f"/v2/{self.repository}/blobs/uploads/?{urlencode({'digest': self.d.digest})}"
        answer = self._exchange("POST", path, 0, self.d.size, scopes, {})
        if answer.status in AGAIN:
            reason = refusals.of_status(self.subject, answer.status, answer.body)
            raise TryAgain(reason, answer.headers["Retry-After"])
        if answer.status == 201:
            self.uploads.one_request = True
            return True
        self.uploads.one_request = False
        if answer.status != 202:
            answer = self.uploads.begin(self.repository, "", scopes)
        self._begun(answer)
        return False

    def _patch(self, start: int, end: int, scopes: Sequence[str]) -> int:
        answer = self._exchange("PATCH", self._at(), start, end, scopes, {"Content-Range": f"{start}-{end - 1}"})
        if answer.status not in (202, 204):
            self._refuse(answer)
        self._begun(answer)
        self.acknowledged = end
        return end

    def _put(self, start: int, scopes: Sequence[str]) -> None:
        location = self._at()
        path = f"{location}{'&' if '?' in location else '?'}{urlencode({'digest': self.d.digest})}"
        ranged = {"Content-Range": f"{start}-{self.d.size - 1}"} if start and start < self.d.size else {}
        answer = self._exchange("PUT", path, start, self.d.size, scopes, ranged)
        if answer.status not in (201, 204):
            self._refuse(answer)
        self.acknowledged = self.d.size

    def _exchange(
        self, method: str, path: str, start: int, end: int, scopes: Sequence[str], headers: dict[str, str]
    ) -> Answer:
        body = Body(end - start, lambda connection: self._write(connection, start, end))
        headers = {"Content-Type": "application/octet-stream", **headers}
        with self.uploads.endpoint.exchange(
            method, path, subject=self.subject, scopes=scopes, headers=headers, body=body
        ) as found:
            return Answer(found.response.status, found.response.headers, found.response.read())

    def _write(self, connection: HTTPConnection, start: int, end: int) -> None:
        """Plain connections are fed by the kernel from the file (sendfile); over TLS each piece is encrypted here."""
        position = start
        for file, offset, count in self.open_at(start, end):
            for at in range(offset, offset + count, PIECE * 16):
                size = min(PIECE * 16, offset + count - at)
                _send(connection, file, at, size)
                position += size
                self._report(position)

    def _report(self, position: int) -> None:
        """What is sent again is not counted again."""
        if position > self.reported:
            self.sent(position - self.reported)
            self.reported = position

    def _position(self, scopes: Sequence[str]) -> int:
        """How many bytes of the upload the registry holds; one that it forgot, or holds too much of, begins anew.

        Registries append what comes: when an answer was lost, what was sent again may be there twice.
        """
        answer = self.uploads.endpoint.request("GET", self._at(), subject=self.subject, scopes=scopes)
        found = re.fullmatch(r"(?:bytes=)?0-(\d+)", answer.headers["Range"] or "")
        # An upload that holds nothing says 0-0, as one that holds one byte does: the second is not worth the doubt.
        held = int(found[1]) + 1 if found and int(found[1]) else 0
        if answer.status != 204 or held > self.d.size:
            self.location = None
            self.uploads.locations.pop(self.subject, None)
            return 0
        self._begun(answer)
        return held

    def _begun(self, answer: Answer) -> None:
        if location := answer.headers["Location"]:
            self.location = self.uploads.path(location, self.repository)
            if self.d.size > CHUNK:
                self.uploads.locations[self.subject] = self.location

    def _at(self) -> str:
        if self.location is None:
            raise RegistryRefused(self.subject, "it began an upload and did not say where", "Read the registry's log.")
        return self.location

    def _refuse(self, answer: Answer) -> None:
        reason = refusals.of_status(self.subject, answer.status, answer.body)
        self.refused = answer.status not in AGAIN | {401, 403}
        if answer.status in (404, 416):  # The upload is gone, or is elsewhere than thought: ask, or begin anew.
            if answer.status == 404:
                self.location = None
            raise TryAgain(reason)
        if answer.status == 429 or answer.status >= 500:
            raise TryAgain(reason, answer.headers["Retry-After"])
        raise reason


def _send(connection: HTTPConnection, file: BinaryIO, offset: int, count: int) -> None:
    if isinstance(connection.sock, ssl.SSLSocket):
        left, at = count, offset
        while left and (piece := os.pread(file.fileno(), min(PIECE, left), at)):
            connection.sock.sendall(piece)
            left, at = left - len(piece), at + len(piece)
    else:
        left = count - connection.sock.sendfile(file, offset, count)
    if left:
        raise Damaged(file.name, f"{left:,} bytes are missing in it", "Carry the bundle again.")


def _host(netloc: str) -> str:
    return netloc.removesuffix(":443").removesuffix(":80").lower()


def manifest(endpoint: Endpoint, repository: str, name: str, content: bytes, media_type: str) -> None:
    """Store a manifest or index under ``name`` (a tag or its digest); raises RegistryRefused."""
    subject = f"{endpoint.host}/{repository}:{name}"
    answer = endpoint.request(
        "PUT",
        f"/v2/{repository}/manifests/{name}",
        subject=subject,
        scopes=push_scopes(repository),
        headers={"Content-Type": media_type},
        body=content,
    )
    if answer.status not in (201, 202):
        raise refusals.of_status(subject, answer.status, answer.body)
