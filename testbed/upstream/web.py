"""The web server outside the gap: files by their URL without scheme, and the hub. Plain HTTP on the loopback.

python -m testbed.upstream.web --files DIRECTORY --models DIRECTORY --port 8100
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urlsplit

from . import models
from .hub import CDN, Answer, Hub, Repository

HUB = "/huggingface.co"
_CHUNK = 1 << 20
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class Server(ThreadingHTTPServer):
    """Serves ``files`` and ``hub`` on 127.0.0.1; port 0 takes a free one."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, files: Path, hub: Hub, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.files = files.resolve()
        self.hub = hub

    def find(self, path: str) -> Answer:
        """The file that ``path`` names (a directory has index.json), never one outside of the directory."""
        file = (self.files / unquote(path).lstrip("/")).resolve()
        file = file / "index.json" if file.is_dir() else file
        if not file.is_relative_to(self.files) or not file.is_file():
            return Answer(404, {"error": "Not found"})
        return Answer(200, file=file)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: what was asked is seen at the client."""

    def _answer(self, body: bool) -> None:
        asked = urlsplit(self.path)
        if asked.path.startswith(f"{HUB}/"):
            answer = self.server.hub.answer(asked.path.removeprefix(HUB), asked.query, self._cdn())
        else:
            answer = self.server.find(asked.path)
        if answer.file is None:
            self._send_document(answer, body)
        else:
            self._send_file(answer, answer.file, body)

    def _cdn(self) -> str:
        """The address that large files are sent to. Another host, as in life: clients treat a redirect there apart."""
        host = "127.0.0.1" if self.headers.get("Host", "").startswith("localhost") else "localhost"
        return f"http://{host}:{self.server.server_port}{HUB}/{CDN}"

    def _send_document(self, answer: Answer, body: bool) -> None:
        data = b"" if answer.document is None else json.dumps(answer.document).encode()
        self._head(answer.status, answer, [("Content-Type", "application/json"), ("Content-Length", str(len(data)))])
        if body:
            self.wfile.write(data)

    def _send_file(self, answer: Answer, file: Path, body: bool) -> None:
        size = file.stat().st_size
        span = wanted(self.headers.get("Range"), size)
        if span is None:
            self._head(416, answer, [("Content-Range", f"bytes */{size}"), ("Content-Length", "0")])
            return
        start, end = span
        headers = [("Content-Type", "application/octet-stream"), ("Accept-Ranges", "bytes")]
        headers.append(("Content-Length", str(end - start)))
        partial = "Range" in self.headers
        if partial:
            headers.append(("Content-Range", f"bytes {start}-{end - 1}/{size}"))
        self._head(206 if partial else answer.status, answer, headers)
        if body:
            self._copy(file, start, end)

    def _head(self, status: int, answer: Answer, headers: list[tuple[str, str]]) -> None:
        self.send_response(status)
        for name, value in [*answer.headers, *headers]:
            self.send_header(name, value)
        self.end_headers()

    def _copy(self, file: Path, start: int, end: int) -> None:
        with file.open("rb") as f:
            f.seek(start)
            while start < end and (chunk := f.read(min(_CHUNK, end - start))):
                self.wfile.write(chunk)
                start += len(chunk)


def wanted(header: str | None, size: int) -> tuple[int, int] | None:
    """The half-open span of bytes that a Range header asks of ``size`` bytes; None when there is no such span.

    Several ranges in one header are answered with the whole, as RFC 9110 section 14.2 allows.
    """
    found = _RANGE.fullmatch(header or "")
    if not found or not (found[1] or found[2]):
        return 0, size
    if not found[1]:
        return max(0, size - int(found[2])), size
    start = int(found[1])
    end = min(size, int(found[2]) + 1) if found[2] else size
    return (start, end) if start < end else None


@contextmanager
def running(files: Path, model_repositories: Path) -> Iterator[int]:
    """The server in a thread of this process, on a free port, which is given."""
    server = Server(files, hub_of(model_repositories), 0)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def hub_of(directory: Path) -> Hub:
    """The hub with the stand-in models that lie in ``directory``."""
    return Hub([Repository(m, directory / m.repository) for m in models.STAND_INS])


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=Path, required=True)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    Server(given.files, hub_of(given.models), given.port).serve_forever()


if __name__ == "__main__":
    main()
