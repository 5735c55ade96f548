import functools
import hashlib
import http.server
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.mirror import limit
from tests.serving import running

CONTENT = {f"blob-{n}": random.Random(n).randbytes(100_000 * n) for n in range(8)}


class Quiet(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def host(tmp_path: Path) -> Iterator[str]:
    served = tmp_path / "served"
    served.mkdir()
    for name, content in CONTENT.items():
        (served / name).write_bytes(content)
    handler = functools.partial(Quiet, directory=str(served))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    with running(server):
        yield f"127.0.0.1:{server.server_address[1]}"


def listed(path: Path, host: str, wrong: str | None = None) -> Path:
    digests = {n: hashlib.sha256(b"other" if n == wrong else c).hexdigest() for n, c in CONTENT.items()}
    path.write_text("".join(f"{host} /{n} sha256:{d}\n" for n, d in digests.items()))
    return path


def test_the_limit_writes_each_blob_once_under_its_digest(host: str, tmp_path: Path) -> None:
    assert limit.main(listed(tmp_path / "list", host), tmp_path / "out") == 0
    assert {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()} == {
        hashlib.sha256(c).hexdigest(): c for c in CONTENT.values()
    }


def test_the_limit_notices_content_that_is_another(host: str, tmp_path: Path) -> None:
    assert limit.main(listed(tmp_path / "list", host, wrong="blob-3"), tmp_path / "out") == 1
