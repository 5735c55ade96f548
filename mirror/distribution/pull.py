"""Pulling: manifests, and blobs that are streamed to where they stay, continued by byte range when broken off."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from http.client import HTTPResponse
from typing import Protocol

from ..errors import Damaged, RegistryRefused
from ..layout import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, Descriptor, digest
from . import refusals
from .endpoint import AGAIN, Endpoint, Exchange, TryAgain

ACCEPT = ", ".join((OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST))
PIECE = 1 << 20
"""Bytes that are read, hashed and written at once: large, as each costs Python's lock three times."""


class Target(Protocol):
    """Where content is written to, hashed on the way."""

    @property
    def position(self) -> int:
        """How many bytes are there already."""
        ...

    def write(self, piece: memoryview) -> None:
        """Append ``piece``; raises NoSpace."""
        ...

    def restart(self) -> None:
        """Forget what is there."""
        ...

    def digest(self) -> str:
        """``sha256:<64 hex>`` of what is there."""
        ...


def pull_scope(repository: str) -> str:
    """The scope of a token that may read ``repository``."""
    return f"repository:{repository}:pull"


def manifest(endpoint: Endpoint, repository: str, wanted: str, subject: str) -> bytes:
    """The manifest or index ``wanted`` (a tag or a digest); raises NotUpstream, RegistryRefused, Damaged."""
    path = f"/v2/{repository}/manifests/{wanted}"
    answer = endpoint.request("GET", path, subject=subject, scopes=[pull_scope(repository)], headers={"Accept": ACCEPT})
    if answer.status != 200:
        raise refusals.of_status(subject, answer.status, answer.body)
    if ":" in wanted and digest(answer.body) != wanted:
        raise Damaged(subject, f"the registry answered with {digest(answer.body)}", "Ask another mirror.")
    return answer.body


def referrers(endpoint: Endpoint, repository: str, subject_digest: str, subject: str) -> bytes | None:
    """The index of what refers to ``subject_digest``, or None where the registry has no such API."""
    path = f"/v2/{repository}/referrers/{subject_digest}"
    answer = endpoint.request("GET", path, subject=subject, scopes=[pull_scope(repository)])
    if answer.status in (400, 404, 405):
        return None
    if answer.status != 200:
        raise refusals.of_status(subject, answer.status, answer.body)
    return answer.body if OCI_INDEX in (answer.headers["Content-Type"] or "") else None


def blob(endpoint: Endpoint, repository: str, d: Descriptor, target: Target, subject: str) -> None:
    """Bring the blob ``d`` into ``target``, continuing at its position.

    What has another digest in the end is fetched once more from its first byte, without asking for a range, as a
    registry that answers with the wrong range is the likeliest cause. Raises Damaged, NotUpstream, RegistryRefused.
    """
    path = f"/v2/{repository}/blobs/{d.digest}"
    found = Fetch(endpoint, path, d.size, subject, (pull_scope(repository),)).exactly(d.digest, target)
    if found != d.digest:
        raise Damaged(f"{subject} {d.digest}", f"the registry's content is {found}", "Ask another mirror.")


def exactly(digest: str, target: Target, into: Callable[[Target], None]) -> str:
    """Fill ``target`` by ``into``, which appends what it lacks; the digest found.

    Once more from the first byte if that is not ``digest``, as an earlier run may have left something else. What is
    wrong then too is forgotten.
    """
    into(target)
    if target.digest() != digest:
        target.restart()
        into(target)
    found = target.digest()
    if found != digest:
        target.restart()
    return found


class Fetch:
    """One file of a server, of a known size."""

    def __init__(self, endpoint: Endpoint, path: str, size: int, subject: str, scopes: tuple[str, ...] = ()) -> None:
        self._endpoint = endpoint
        self._path = path
        self._size = size
        self._subject = subject
        self._scopes = scopes
        self.headers: dict[str, str] = {}

    def into(self, target: Target) -> None:
        """Append to ``target`` what it lacks; raises NotUpstream, RegistryRefused, Damaged (another size)."""
        if target.position < self._size:
            self._endpoint.patiently(lambda: self._once(target), lambda: target.position)

    def exactly(self, digest: str, target: Target) -> str:
        """Fill ``target`` as :func:`exactly` does; raises as :meth:`into`."""
        return exactly(digest, target, self.into)

    def _once(self, target: Target) -> None:
        start = target.position
        if start >= self._size:
            return
        headers = {**self.headers, **({"Range": f"bytes={start}-"} if start else {})}
        with self._endpoint.exchange(
            "GET", self._path, subject=self._subject, scopes=self._scopes, headers=headers
        ) as found:
            self._judge(found.response, start, target)
            for piece in pieces(found, self._size - target.position):
                target.write(piece)
        if target.position < self._size:
            reason = RegistryRefused(
                self._subject, f"it broke off at byte {target.position:,}", refusals.SEE_THAT_IT_RUNS
            )
            raise TryAgain(reason)

    def _judge(self, response: HTTPResponse, start: int, target: Target) -> None:
        if response.status in AGAIN:
            reason = refusals.of_status(self._subject, response.status, response.read(2000))
            raise TryAgain(reason, response.headers["Retry-After"])
        if response.status == 416 or (response.status == 206 and _range(response) != (start, self._size)):
            target.restart()  # It does not give that range: then all of it.
            raise TryAgain(RegistryRefused(self._subject, "it gives another range than asked", "Ask another mirror."))
        if response.status == 200 and start:
            target.restart()
        if response.status not in (200, 206):
            raise refusals.of_status(self._subject, response.status, response.read(2000))
        if response.status == 200 and response.length is not None and response.length != self._size:
            raise Damaged(
                self._subject, f"it has {response.length:,} bytes, {self._size:,} were promised", "Ask another mirror."
            )


def pieces(exchange: Exchange, most: int) -> Iterator[memoryview]:
    """The answer's body up to ``most`` bytes, in pieces that are valid until the next is asked for.

    Read from the socket itself where the length is known: http.client's own buffer costs a quarter of the time.
    Raises ConnectionError when the body ends early.
    """
    response = exchange.response
    buffer = memoryview(bytearray(min(PIECE, max(most, 1))))
    if exchange.socket is None or response.length is None:
        while most and (count := response.readinto(buffer[: min(most, len(buffer))])):
            most -= count
            yield buffer[:count]
        return
    left = min(most, response.length)
    response.length -= left
    filled = response.fp.readinto1(buffer[: min(len(buffer), left)])  # What came with the head; then it is empty.
    while True:
        if filled in (left, len(buffer)):
            yield buffer[:filled]
            left -= filled
            filled = 0
            if not left:
                break
        count = exchange.socket.recv_into(buffer[filled : min(len(buffer), left)])
        if not count:
            if filled:
                yield buffer[:filled]
            raise ConnectionResetError("the connection ended early")
        filled += count
    if not response.length:
        response.read()


def _range(response: HTTPResponse) -> tuple[int, int] | None:
    """First byte and whole size of Content-Range; a size that is not said counts as right."""
    found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", response.headers["Content-Range"] or "")
    return (int(found[1]), int(found[3])) if found and int(found[2]) == int(found[3]) - 1 else None
