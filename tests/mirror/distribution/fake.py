"""A registry in this process that speaks the distribution API over real sockets, and fails in the ways that they do."""

from __future__ import annotations

import hashlib
import http.server
import itertools
import json
import re
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.serving import running


def sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


SLICE = 1 << 18


@dataclass
class FakeRegistry:
    """Blobs and manifests by repository. Each fault is used up when it strikes, except where it says always."""

    host: str = ""
    blobs: dict[str, dict[str, bytes]] = field(default_factory=dict)
    manifests: dict[str, dict[str, bytes]] = field(default_factory=dict)
    uploads: dict[str, bytearray] = field(default_factory=dict)
    locks: dict[str, threading.Lock] = field(default_factory=lambda: defaultdict(threading.Lock))
    names: Iterator[int] = field(default_factory=itertools.count)
    requests: list[str] = field(default_factory=list)
    received: int = 0
    """Bytes of blobs that came in."""
    sent: int = 0
    """Bytes of answers that went out, those to requests for blobs."""
    mounts: bool = True
    one_request: bool = False
    deletes: bool = True
    statuses: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    """Answers given instead of the right one, first come first served."""
    break_pulls_after: list[int] = field(default_factory=list)
    """Bytes after which a blob's answer breaks off."""
    break_pushes_after: list[int] = field(default_factory=list)
    """Bytes of a request's body after which the connection is cut; they are kept."""
    lie: str = ""
    """How ranges are answered, always: shifted, whole, unsatisfied."""
    corrupt: int = 0
    """How many blob answers have a flipped bit."""
    forgets: bool = False
    """Nothing is kept of a request that broke off."""
    redirect_to: str = ""
    """Where blobs are fetched from, always."""
    token: str = ""
    """Wanted as bearer token; the token server is /token here."""
    basic: str = ""
    """Wanted as Authorization."""
    pause: float = 0.0
    """Seconds after each quarter of a megabyte of a blob, in either direction: something to be killed in."""
    seen: list[dict[str, str]] = field(default_factory=list)
    """Headers of each request."""

    def put_blob(self, repository: str, content: bytes) -> str:
        self.blobs.setdefault(repository, {})[sha256(content)] = content
        return sha256(content)

    def count(self, start: str) -> int:
        return sum(r.startswith(start) for r in self.requests)


class Handler(http.server.BaseHTTPRequestHandler):
    registry: FakeRegistry
    protocol_version = "HTTP/1.1"
    timeout = 10

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_any(self) -> None:
        fake = self.registry
        fake.requests.append(f"{self.command} {self.path}")
        fake.seen.append(dict(self.headers.items()))
        if self.path.startswith("/token"):
            return self.answer(200, json.dumps({"token": fake.token}).encode())
        if not self.allowed():
            return None
        if fake.statuses and (status := fake.statuses.pop(0))[0]:
            self.body()
            return self.answer(status[0], b'{"errors":[{"code":"X","message":"not now"}]}', status[1])
        path = urlsplit(self.path).path
        for pattern, method in ROUTES:
            if found := re.fullmatch(pattern, path):
                return method(self, *found.groups())
        return self.answer(404, b"")

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_any

    def allowed(self) -> bool:
        fake, sent = self.registry, self.headers["Authorization"]
        wanted = f"Bearer {fake.token}" if fake.token else fake.basic
        if not wanted or sent == wanted:
            return True
        self.body()
        realm = f'Bearer realm="http://{fake.host}/token",service="fake"' if fake.token else 'Basic realm="x"'
        self.answer(401, b"", {"WWW-Authenticate": realm})
        return False

    def blob(self, repository: str, digest: str) -> None:
        fake = self.registry
        content = fake.blobs.get(repository, {}).get(digest)
        if content is None:
            return self.answer(404, b'{"errors":[{"code":"BLOB_UNKNOWN","message":"blob unknown"}]}')
        if fake.redirect_to and self.command == "GET":
            return self.answer(307, b"", {"Location": f"{fake.redirect_to}{self.path}"})
        start = int((self.headers["Range"] or "bytes=0-").removeprefix("bytes=").partition("-")[0])
        if start and fake.lie == "unsatisfied":
            return self.answer(416, b"")
        if start and fake.lie == "whole":
            start = 0
        status = 206 if start else 200
        sent = content[start:]
        headers = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if start else {}
        if start and fake.lie == "shifted":
            sent = content[start - 1 : -1]
        if fake.corrupt and self.command == "GET":
            fake.corrupt -= 1
            sent = bytes([sent[0] ^ 1]) + sent[1:]
        broken = self.command == "GET" and bool(fake.break_pulls_after)
        return self.answer(status, sent, headers, fake.break_pulls_after.pop(0) if broken else None)

    def begin(self, repository: str) -> None:
        fake, query = self.registry, parse_qs(urlsplit(self.path).query)
        body = self.body()
        mount, other = query.get("mount", [""])[0], query.get("from", [""])[0]
        if mount and fake.mounts and mount in fake.blobs.get(other, {}):
            fake.put_blob(repository, fake.blobs[other][mount])
            return self.answer(201, b"", {"Location": f"/v2/{repository}/blobs/{mount}"})
        if "digest" in query and fake.one_request:
            return self.finish(repository, body, query["digest"][0])
        name = f"u{next(fake.names)}"  # never one that another upload had or has
        fake.uploads[name] = bytearray()
        return self.answer(202, b"", {"Location": f"/v2/{repository}/blobs/uploads/{name}?state=s"})

    def upload(self, repository: str, name: str) -> None:
        with self.registry.locks[name]:  # What a killed client sent is read to its end before another goes on.
            self.upload_alone(repository, name)

    def upload_alone(self, repository: str, name: str) -> None:
        fake, query = self.registry, parse_qs(urlsplit(self.path).query)
        held = fake.uploads.get(name)
        if held is None:
            self.body()
            return self.answer(404, b'{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN","message":"upload unknown"}]}')
        location = {"Location": f"http://{self.headers['Host']}/v2/{repository}/blobs/uploads/{name}?state=s"}
        if self.command == "GET":
            return self.answer(204, b"", {**location, "Range": f"0-{max(len(held) - 1, 0)}"})
        said = (self.headers["Content-Range"] or "").partition("-")[0]
        if said and int(said) != len(held):
            self.body()
            return self.answer(416, b"", location)
        if (body := self.body(held)) is None:
            return None
        held += body
        if self.command == "PATCH":
            return self.answer(202, b"", {**location, "Range": f"0-{len(held) - 1}"})
        if sha256(bytes(held)) == query["digest"][0]:  # As distribution 2.8, which keeps what it refuses.
            del fake.uploads[name]
        return self.finish(repository, bytes(held), query["digest"][0])

    def finish(self, repository: str, content: bytes | None, digest: str) -> None:
        if content is None:
            return None
        if sha256(content) != digest:
            return self.answer(400, b'{"errors":[{"code":"DIGEST_INVALID","message":"digest invalid"}]}')
        self.registry.put_blob(repository, content)
        return self.answer(201, b"")

    def manifest(self, repository: str, name: str) -> None:
        fake = self.registry
        held = fake.manifests.setdefault(repository, {})
        if self.command == "PUT":
            if (content := self.body()) is None:
                return None
            if ":" in name and name != sha256(content):
                return self.answer(400, b'{"errors":[{"code":"DIGEST_INVALID","message":"digest invalid"}]}')
            held[name] = held[sha256(content)] = content
            return self.answer(201, b"")
        if self.command == "DELETE":
            if not fake.deletes:
                return self.answer(405, b"")
            gone = held.pop(name, None)
            for tag in [t for t, c in held.items() if c == gone]:
                del held[tag]
            return self.answer(202 if gone is not None else 404, b"")
        if name not in held:
            return self.answer(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}')
        return self.answer(200, held[name])

    def tags(self, repository: str) -> None:
        names = [t for t in self.registry.manifests.get(repository, {}) if ":" not in t]
        self.page("tags", sorted(names))

    def catalog(self) -> None:
        self.page("repositories", sorted(self.registry.manifests))

    def page(self, field_: str, names: list[str]) -> None:
        """Two names at a time: what lists long things must follow the links."""
        query = parse_qs(urlsplit(self.path).query)
        after = query.get("last", [""])[0]
        rest = [n for n in names if n > after]
        link = {}
        if len(rest) > 2:
            link = {"Link": f'<{urlsplit(self.path).path}?n=2&last={rest[1]}>; rel="next"'}
        self.answer(200, json.dumps({field_: rest[:2]}).encode(), link)

    def body(self, kept: bytearray | None = None) -> bytes | None:
        """The request's body; None after the connection was cut, what came before it added to ``kept``."""
        fake, left = self.registry, int(self.headers["Content-Length"] or 0)
        if left and kept is not None and fake.break_pushes_after:
            arrived = self.rfile.read(min(left, fake.break_pushes_after.pop(0)))
            kept += arrived
            fake.received += len(arrived)
            self.close_connection = True
            return None
        if kept is None:
            content = self.rfile.read(left)
            if len(content) < left:  # The client has gone.
                self.close_connection = True
                return None
            return content
        found, before = b"", len(kept)
        while left and (piece := self.rfile.read(min(left, SLICE))):
            # What arrived before a client went away is kept, as registries keep it.
            kept += piece
            fake.received += len(piece)
            left -= len(piece)
            time.sleep(fake.pause)
        if left:
            self.close_connection = True
            if fake.forgets:
                del kept[before:]
            return None
        return found

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None, cut: int | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            sent = body if cut is None else body[:cut]
            for at in range(0, len(sent), SLICE):
                self.wfile.write(sent[at : at + SLICE])
                if "/blobs/" in self.path:
                    self.registry.sent += len(sent[at : at + SLICE])
                if len(sent) > SLICE:
                    time.sleep(self.registry.pause)
        if cut is not None:
            self.close_connection = True


ROUTES: list[tuple[str, Any]] = [
    (r"/v2/_catalog", Handler.catalog),
    (r"/v2/(.+)/tags/list", Handler.tags),
    (r"/v2/(.+)/blobs/uploads/", Handler.begin),
    (r"/v2/(.+)/blobs/uploads/([^/]+)", Handler.upload),
    (r"/v2/(.+)/blobs/(sha256:[0-9a-f]+)", Handler.blob),
    (r"/v2/(.+)/manifests/([^/]+)", Handler.manifest),
]


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - the standard library's own
        """A client that hangs up is no event."""


@contextmanager
def serving() -> Iterator[FakeRegistry]:
    made = FakeRegistry()
    server = Server(("127.0.0.1", 0), type("Serving", (Handler,), {"registry": made}))
    made.host = f"127.0.0.1:{server.server_address[1]}"
    with running(server):
        yield made
