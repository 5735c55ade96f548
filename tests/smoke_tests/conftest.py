"""An OpenAI-shaped server over TLS on loopback, a kubectl that answers from a table, and a receipt."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from mirror.receipt import Receipt
from smoke_tests.cluster import Cluster
from smoke_tests.environment import Environment, StackOutputs
from tests.serving import running

HOST = "chat-models.example.test"
REGISTRY = "registry.test:5000"
BUNDLE = "b" * 64
CLOSED_PORT = 9


def digest(letter: str) -> str:
    return f"sha256:{letter * 64}"


@dataclass
class Behaviour:
    """What the fake server does; a test changes it to see a check fail."""

    served: str = "chat"
    token_seconds: float = 0.002
    max_model_len: int = 256
    hold_back: bool = False
    cut_after_seconds: float | None = None
    unknown_model_status: int = 404
    models_status: int = 200
    open_paths: tuple[str, ...] = ()
    names: list[str | None] = field(default_factory=list)
    """TLS server names that clients asked for."""
    hosts: list[str] = field(default_factory=list)


class OpenAIHandler(BaseHTTPRequestHandler):
    """The API's calls that the checks make."""

    protocol_version = "HTTP/1.1"
    behaviour: Behaviour

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet."""

    def do_GET(self) -> None:
        self.behaviour.hosts.append(self.headers["host"])
        if self.path == "/v1/models":
            card = {"id": self.behaviour.served, "object": "model", "max_model_len": self.behaviour.max_model_len}
            self.answer(self.behaviour.models_status, {"object": "list", "data": [card]})
        else:
            self.answer(200 if self.path in self.behaviour.open_paths else 404, {})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if asked["model"] != self.behaviour.served:
            error = {"message": f"The model `{asked['model']}` does not exist.", "type": "NotFoundError", "code": 404}
            self.answer(self.behaviour.unknown_model_status, {"error": error})
        elif asked.get("stream"):
            self.stream(asked)
        else:
            self.complete(asked)

    def complete(self, asked: dict[str, Any]) -> None:
        count = asked["max_tokens"]
        text = "word " * count
        chat = self.path == "/v1/chat/completions"
        content = {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
        choice = {"index": 0, "finish_reason": "length", **content}
        self.answer(
            200, {"id": "1", "object": "x", "created": 1, "model": "m", "choices": [choice], "usage": usage(count)}
        )

    def stream(self, asked: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        started = time.monotonic()
        count = asked["max_tokens"] * asked.get("n", 1)
        for _ in range(count):
            # What is held back waits so long that what a busy machine takes to read it all is small beside it.
            time.sleep(self.behaviour.token_seconds * (16 if self.behaviour.hold_back else 1))
            if not self.behaviour.hold_back:
                self.event({"choices": [{"index": 0, "delta": {"content": "word "}}]})
            limit = self.behaviour.cut_after_seconds
            if limit and time.monotonic() - started > limit:
                self.connection.shutdown(socket.SHUT_RDWR)
                return
        if self.behaviour.hold_back:
            for _ in range(count):
                self.event({"choices": [{"index": 0, "delta": {"content": "word "}}]})
        if asked.get("stream_options"):
            self.event({"choices": [], "usage": usage(count)})
        self.chunk(b"data: [DONE]\n\n")
        self.chunk(b"")

    def event(self, data: dict[str, Any]) -> None:
        whole = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", **data}
        self.chunk(f"data: {json.dumps(whole)}\n\n".encode())

    def chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def answer(self, status: int, body: dict[str, Any]) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


class QuietServer(ThreadingHTTPServer):
    """A client that goes away, or shakes hands wrongly, is what some tests are about."""

    daemon_threads = True
    context: ssl.SSLContext

    def finish_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as socketserver has it
        with suppress(OSError, ValueError), self.context.wrap_socket(request, server_side=True) as tls:
            super().finish_request(tls, client_address)


def usage(count: int) -> dict[str, int]:
    return {"prompt_tokens": 5, "completion_tokens": count, "total_tokens": count + 5}


@dataclass(frozen=True)
class Pki:
    """An authority and a server certificate that it signed for *.example.test, by openssl."""

    authority: Path
    certificate: Path
    key: Path


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    d = tmp_path_factory.mktemp("pki")
    new = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    ca = ["-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test authority"]
    usage = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]
    leaf = ["-keyout", "server.key", "-out", "server.pem", "-subj", "/CN=gateway", "-CA", "ca.pem", "-CAkey", "ca.key"]
    names = ["-addext", "subjectAltName=DNS:*.example.test", "-addext", "basicConstraints=critical,CA:FALSE"]
    for arguments in ([*new, *ca, *usage], [*new, *leaf, *names]):
        subprocess.run(["openssl", *arguments], cwd=d, check=True, capture_output=True)
    return Pki(d / "ca.pem", d / "server.pem", d / "server.key")


@pytest.fixture
def behaviour() -> Behaviour:
    return Behaviour()


@pytest.fixture
def server(pki: Pki, behaviour: Behaviour) -> Iterator[int]:
    """The port of the running server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki.certificate, pki.key)
    context.sni_callback = lambda _socket, name, _context: behaviour.names.append(name)
    handler = type("Handler", (OpenAIHandler,), {"behaviour": behaviour})
    server = QuietServer(("127.0.0.1", 0), handler)
    server.context = context
    with running(server):
        yield server.server_address[1]


KUBECTL = """#!{python}
import json, os, sys
arguments = [a for a in sys.argv[1:] if not a.startswith("--kubeconfig") and a not in ("-o", "json")]
with open({calls!r}, "a") as calls:
    calls.write(json.dumps(arguments) + "\\n")
with open({answers!r}) as f:
    answers = json.load(f)
line = " ".join(arguments)
if "exec" in arguments and line not in answers:
    pod, command = arguments[arguments.index("--") - 1], arguments[arguments.index("--") + 1 :]
    os.environ["CURL_HOME"] = os.path.join({home!r}, pod)
    os.execvp(command[0], command)
prefixes = sorted((k[:-1] for k in answers if k.endswith("*") and line.startswith(k[:-1])), key=len)
answer = answers.get(line, answers[prefixes[-1] + "*"] if prefixes else None)
if answer is None:
    sys.exit("the fake kubectl has no answer to: " + line)
if isinstance(answer, dict) and "error" in answer:
    sys.exit(answer["error"])
print(answer if isinstance(answer, str) else json.dumps(answer))
"""


@dataclass
class FakeKubectl:
    """A program called kubectl that answers from a table: arguments (or a prefix and ``*``) to what is printed.

    ``exec`` runs the command on this machine, with the curlrc that ``network`` wrote for the pod.
    """

    directory: Path

    def answers(self, table: dict[str, Any]) -> None:
        known = json.loads(self._answers.read_text()) if self._answers.exists() else {}
        self._answers.write_text(json.dumps(known | table))

    def network(self, pod: str, ways: dict[str, int]) -> None:
        """Where curl gets to from ``pod``: ``host:port`` to a port of loopback; nowhere from anything else."""
        home = self.directory / pod
        home.mkdir(exist_ok=True)
        lines = [f'connect-to = "{place}:127.0.0.1:{port}"' for place, port in [*ways.items(), (":", CLOSED_PORT)]]
        (home / ".curlrc").write_text("\n".join(lines) + "\n")

    @property
    def calls(self) -> list[list[str]]:
        return [json.loads(line) for line in (self.directory / "calls").read_text().splitlines()]

    @property
    def _answers(self) -> Path:
        return self.directory / "answers.json"


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeKubectl:
    directory = tmp_path / "bin"
    directory.mkdir()
    program = directory / "kubectl"
    answers, calls = str(directory / "answers.json"), str(directory / "calls")
    program.write_text(KUBECTL.format(python=sys.executable, answers=answers, calls=calls, home=str(directory)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}{os.pathsep}{os.environ['PATH']}")
    fake = FakeKubectl(directory)
    fake.answers(
        {
            "get namespace kube-system": {"metadata": {"uid": "the-uid"}},
            "version": {"serverVersion": {"gitVersion": "v1.34.4"}},
            "get pods*": {"items": []},
            "apply*": {},
            "delete authorizationpolicies.security.istio.io/sealift-smoke-change*": {},
        }
    )
    return fake


@pytest.fixture
def receipt() -> Receipt:
    def image(name: str, letter: str) -> dict[str, Any]:
        mirrored = f"{REGISTRY}/{name.partition(':')[0]}@{digest(letter)}"
        return {"reference": name, "digest": digest(letter), "mirrored": mirrored, "size": 1}

    model = image("hub.test/models/tiny:1", "3") | {"name": "tiny", "origin": "hub.test/models/tiny", "revision": "1"}
    del model["reference"]
    return Receipt.of_data(
        {
            "registry": REGISTRY,
            "bundle": BUNDLE,
            "kubernetes": "1.34",
            "images": [image("docker.io/curlimages/curl:8.16.0", "1"), image("docker.io/istio/proxyv2:1.31.0", "2")],
            "models": [model | {"licence": "Apache-2.0"}],
            "parts": [],
            "runtimes": [],
            "exclusions": [],
        },
        "receipt",
    )


@pytest.fixture
def outputs(pki: Pki) -> dict[str, Any]:
    """What `pulumi stack output --json` prints."""
    return {
        "domain": "example.test",
        "gateway": {"namespace": "istio-system", "service": "istio-ingressgateway", "port": 443},
        "caCertificate": pki.authority.read_text(),
        "models": [
            {
                "name": "chat",
                "namespace": "models",
                "mode": "Standard",
                "url": f"https://{HOST}/v1",
                "host": HOST,
                "servedName": "chat",
                "service": "chat-predictor.models",
                "scaleToZero": False,
            }
        ],
        "namespaces": {"platform": ["istio-cni", "istio-system"], "models": ["models"]},
        "receiptBundle": BUNDLE,
        "access": {
            "mode": "open",
            "issuers": [],
            "tenants": [],
            "limits": {"requestBytes": 1000, "headerSeconds": 1, "requestSeconds": 1, "concurrentRequests": 4},
        },
        "resources": 3,
    }


@pytest.fixture
def make_environment(outputs: dict[str, Any], receipt: Receipt, server: int) -> Callable[[], Environment]:
    def make() -> Environment:
        parsed = StackOutputs.model_validate(outputs)
        return Environment(parsed, receipt, "r" * 64, None, "127.0.0.1", server)

    return make


@pytest.fixture
def environment(make_environment: Callable[[], Environment]) -> Environment:
    return make_environment()


@pytest.fixture
def cluster(kubectl: FakeKubectl) -> Cluster:
    return Cluster(None)
