"""A proxy before a registry that does what networks and broken registries do: by chance, seeded, each fault counted."""

from __future__ import annotations

import http.client
import http.server
import random
import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.serving import running

from ..mirror.distribution.fake import Server

AFTER = 0.6
"""Seconds of silence in the fault ``silence``: longer than the client of these tests waits."""


@dataclass(frozen=True)
class Answered:
    """What the registry behind answered."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Proxy:
    """Stands before the registry ``target`` (``host:port``, plain HTTP)."""

    target: str
    chance: random.Random
    rate: float
    """The share of requests that a fault strikes; of those with a range it is twice as much."""
    budget: int
    """How many faults there are; after that it is honest, so that everything ends."""
    host: str = ""
    struck: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fault(self, method: str, path: str, ranged: bool) -> str:
        """The fault that strikes this request, or nothing."""
        possible = ["busy", "broken", "done and not said", "reset", "silence"]
        if method in ("PUT", "PATCH", "POST"):
            possible += ["reset in the request", "changed on the way up"]
        if method == "GET" and ("/blobs/sha256" in path or "/manifests/" in path):
            possible += ["changed on the way down", "other content", "slow"]
            possible += ["reset in the answer", "ended early"] * 3
        if ranged:
            possible += ["shifted range", "whole instead of range", "no such range", "false range"] * 4
        if method == "GET" and "/blobs/uploads/" in path:
            possible += ["false position"] * 4
        with self.lock:
            if not self.budget or self.chance.random() >= self.rate * (2 if ranged else 1):
                return ""
            self.budget -= 1
            chosen = self.chance.choice(possible)
            self.struck[chosen] += 1
            return chosen

    def number(self, below: int) -> int:
        """One of 0 to ``below`` - 1."""
        with self.lock:
            return self.chance.randrange(below)


class Handler(http.server.BaseHTTPRequestHandler):
    proxy: Proxy
    protocol_version = "HTTP/1.1"
    timeout = 10

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_any(self) -> None:
        ranged = (self.headers["Range"] or "bytes=0-") != "bytes=0-"
        fault = self.proxy.fault(self.command, self.path, ranged)
        length = int(self.headers["Content-Length"] or 0)
        if fault == "reset":
            return self.reset()
        if fault == "reset in the request" and length:
            part = self.rfile.read(self.proxy.number(length))
            self.cut(part, length)
            return self.reset()
        body = self.rfile.read(length)
        if len(body) < length:  # The client has gone.
            self.close_connection = True
            return None
        if fault == "busy":
            return self.answer(Answered(429, {"Retry-After": "0"}, b'{"errors":[{"message":"too many requests"}]}'))
        if fault == "broken":
            return self.answer(Answered(self.proxy.chance.choice([500, 502, 503, 504]), {}, b"<html>bad gateway"))
        if fault == "no such range":
            return self.answer(Answered(416, {}, b""))
        if fault == "changed on the way up" and body:
            body = self.changed(body)
        headers = {k: v for k, v in self.headers.items() if k.lower() != "connection"}
        if fault == "whole instead of range":
            headers.pop("Range")
        return self.passed_on(fault, self.ask(headers, body))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_any

    def ask(self, headers: dict[str, str], body: bytes) -> Answered:
        connection = http.client.HTTPConnection(self.proxy.target, timeout=10)
        try:
            connection.request(self.command, self.path, body or None, headers)
            response = connection.getresponse()
            kept = {k: v for k, v in response.getheaders() if k.lower() not in ("connection", "transfer-encoding")}
            return Answered(response.status, kept, response.read())
        finally:
            connection.close()

    def cut(self, part: bytes, length: int) -> None:
        """The registry gets ``part`` of a request of ``length`` bytes, and then nothing."""
        with socket.create_connection(self.proxy.target.split(":"), timeout=10) as s:  # type: ignore[arg-type]
            lines = [f"{self.command} {self.path} HTTP/1.1", *(f"{k}: {v}" for k, v in self.headers.items()), "", ""]
            s.sendall("\r\n".join(lines).encode() + part)

    def passed_on(self, fault: str, found: Answered) -> None:
        headers, body = dict(found.headers), found.body
        if fault == "done and not said":
            return self.answer(Answered(502, {}, b""))
        if fault == "silence":
            time.sleep(AFTER)
            return self.reset()
        if found.status not in (200, 204, 206):
            return self.answer(found)
        if fault == "changed on the way down" and body:
            body = self.changed(body)
        elif fault == "other content":
            body = bytes(len(body))
        elif fault == "shifted range":
            body = body[1:] + b"\0"
        elif fault == "false range":
            headers["Content-Range"] = re.sub(r"\d+", lambda n: str(int(n[0]) + 1), headers.get("Content-Range", ""))
        elif fault == "false position" and "Range" in headers:
            headers["Range"] = f"0-{self.proxy.number(int(headers['Range'].rpartition('-')[2]) + 1000)}"
        elif fault in ("reset in the answer", "ended early"):
            self.answer(Answered(found.status, headers, body), cut=self.proxy.number(len(body) + 1))
            return self.reset() if fault == "reset in the answer" else None
        return self.answer(Answered(found.status, headers, body), slowly=fault == "slow")

    def changed(self, body: bytes) -> bytes:
        at = self.proxy.number(len(body))
        return body[:at] + bytes([body[at] ^ 1 << self.proxy.number(8)]) + body[at + 1 :]

    def reset(self) -> None:
        """The connection ends with RST: what was sent and not yet read is lost."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def answer(self, found: Answered, cut: int | None = None, slowly: bool = False) -> None:
        self.send_response_only(found.status)
        head = self.command == "HEAD"
        for name, value in found.headers.items():
            if head or name.lower() != "content-length":
                self.send_header(name, value)
        if not head and found.status != 204:
            self.send_header("Content-Length", str(len(found.body)))
        self.end_headers()
        if head:
            return
        sent = found.body[:cut]
        step = max(1, len(sent) // 8) if slowly else max(1, len(sent))
        for at in range(0, len(sent), step):
            self.wfile.write(sent[at : at + step])
            if slowly:
                time.sleep(0.01)
        if cut is not None:
            self.wfile.flush()
            self.close_connection = True


@contextmanager
def before(
    target: str, seed: str = "", rate: float = 0, budget: int = 0, handler: type[Handler] = Handler
) -> Iterator[Proxy]:
    """A proxy before the registry at ``target`` (``host:port``)."""
    made = Proxy(target, random.Random(seed), rate, budget)
    server = Server(("127.0.0.1", 0), type("Serving", (handler,), {"proxy": made}))
    made.host = f"127.0.0.1:{server.server_address[1]}"
    with running(server):
        yield made
