"""``sealift batch``: what it refuses before it asks, and a whole run over TLS."""

import json
import ssl
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from batch.cli import batch
from mirror.errors import BadInput, ChecksFailed
from tests.serving import running


def call(tmp_path: Path, ca_file: Path | None = None, url: str = "https://x.test/v1") -> None:
    batch(tmp_path / "batch.jsonl", url, tmp_path / "out.jsonl", ca_file)


def requests(tmp_path: Path, *prompts: str) -> None:
    lines = [
        {"custom_id": p, "method": "POST", "url": "/v1/completions", "body": {"model": "m", "prompt": p}}
        for p in prompts
    ]
    (tmp_path / "batch.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines))


def test_a_missing_key_is_said_before_anything_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(BadInput, match="OPENAI_API_KEY"):
        call(tmp_path)


def test_a_missing_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    with pytest.raises(BadInput, match=r"batch\.jsonl"):
        call(tmp_path)


def test_an_authority_that_is_none_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    requests(tmp_path, "a")
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(BadInput, match="ca-file"):
        call(tmp_path, tmp_path / "ca.pem")


class Handler(BaseHTTPRequestHandler):
    """Answers whoever has the key; one prompt is wrong."""

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        good = self.headers["authorization"] == "Bearer secret" and asked["prompt"] != "wrong"
        body = json.dumps({"path": self.path, "prompt": asked["prompt"]}).encode()
        self.send_response(200 if good else 400)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[str]:
    """The base URL of a server over TLS; its certificate, ca.pem, is its own authority."""
    new = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-subj",
        "/CN=g",
    ]
    made = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "ca.pem"]
    usage = ["-addext", "keyUsage=critical,keyCertSign,digitalSignature"]
    subprocess.run([*new, *made, *usage], cwd=tmp_path, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "ca.pem", tmp_path / "key.pem")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with running(server):
        yield f"https://127.0.0.1:{server.server_address[1]}/v1"


def test_a_batch_is_answered_over_tls_with_the_key_and_the_authority_that_were_given(
    tmp_path: Path, gateway: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    requests(tmp_path, "a", "b")
    call(tmp_path, tmp_path / "ca.pem", gateway)
    results = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [r["response"]["body"] for r in results] == [{"path": "/v1/completions", "prompt": p} for p in "ab"]
    assert "2 of 2 succeeded" in capsys.readouterr().out


def test_a_request_that_failed_is_told_by_the_exit_code_and_all_results_are_there(
    tmp_path: Path, gateway: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    requests(tmp_path, "a", "wrong")
    with pytest.raises(ChecksFailed, match=r"1 failed, the first \(wrong\) with: HTTP 400"):
        call(tmp_path, tmp_path / "ca.pem", gateway)
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 2
