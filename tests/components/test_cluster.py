from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import pytest
import yaml

from components.cluster import KubernetesCluster, wait_until_answered
from components.documents import Document
from mirror.errors import BadInput, ChecksFailed
from tests.components.harness import FakeCluster

ISSUER: Document = {"apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer", "metadata": {"name": "i"}, "spec": {}}


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.now += seconds


def test_the_wait_ends_with_the_first_answer() -> None:
    cluster, clock = FakeCluster(refusals=3), Clock()
    wait_until_answered(cluster, [ISSUER], clock=clock, pause=clock.pause)
    assert cluster.asked == ["ClusterIssuer/i"] * 4


def test_the_wait_is_bounded_and_its_error_tells_what_the_webhook_said() -> None:
    cluster, clock = FakeCluster(refusals=10**6), Clock()
    with pytest.raises(ChecksFailed, match="connection refused"):
        wait_until_answered(cluster, [ISSUER], seconds=5, clock=clock, pause=clock.pause)
    assert 5 < clock.now < 6


class ApiServer(BaseHTTPRequestHandler):
    answers: ClassVar[dict[str, tuple[int, str]]] = {}
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        self.asked.append(f"{self.command} {self.path}")
        status, body = self.answers.get(self.path.partition("?")[0], (404, '{"message": "not found"}'))
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    do_PATCH = do_GET

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[KubernetesCluster]:
    ApiServer.answers, ApiServer.asked = {}, []
    with HTTPServer(("127.0.0.1", 0), ApiServer) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        path = tmp_path / "kubeconfig"
        path.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "c",
                    "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                    "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
                    "users": [{"name": "u", "user": {"token": "t"}}],
                }
            )
        )
        reached = KubernetesCluster.reached_by(str(path), None)
        yield reached
        reached.api.rest_client.close()
        server.shutdown()
        thread.join()


def test_the_identity_is_the_uid_of_kube_system(cluster: KubernetesCluster) -> None:
    ApiServer.answers["/api/v1/namespaces/kube-system"] = (200, '{"metadata": {"uid": "u-1"}}')
    assert cluster.uid() == "u-1"


def test_a_server_that_refuses_to_tell_is_an_error_with_its_reason(cluster: KubernetesCluster) -> None:
    ApiServer.answers["/api/v1/namespaces/kube-system"] = (403, '{"message": "forbidden: User"}')
    with pytest.raises(BadInput, match="forbidden"):
        cluster.uid()


@pytest.mark.parametrize(
    ("status", "message", "refused"),
    [
        (500, "Internal error occurred: failed calling webhook x: dial tcp: connection refused", True),
        (500, "failed calling webhook: tls: failed to verify certificate: x509: unknown authority", True),
        (422, "spec.acme: Required value", False),
        (200, "", False),
    ],
)
def test_only_a_webhook_that_cannot_be_asked_is_waited_for(
    cluster: KubernetesCluster, status: int, message: str, refused: bool
) -> None:
    ApiServer.answers["/apis/cert-manager.io/v1"] = (
        200,
        '{"resources": [{"name": "clusterissuers", "kind": "ClusterIssuer"}]}',
    )
    ApiServer.answers["/apis/cert-manager.io/v1/clusterissuers/i"] = (status, f'{{"message": "{message}"}}')
    assert (cluster.refusal(ISSUER) is not None) is refused
    assert "dryRun=All" in ApiServer.asked[-1]


def test_only_the_certificate_of_a_secret_is_taken(cluster: KubernetesCluster) -> None:
    ApiServer.answers["/api/v1/namespaces/n/secrets/s"] = (200, '{"data": {"tls.crt": "UEVN", "tls.key": "S0VZ"}}')
    assert cluster.certificate("n", "s") == "PEM"


def test_a_kubeconfig_that_does_not_exist_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="nowhere"):
        KubernetesCluster.reached_by(str(tmp_path / "nowhere"), None)
