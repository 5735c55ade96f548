"""What a cluster is found able to do, asked with the real client of an API server that answers what we write here."""

from __future__ import annotations

import http.server
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs

from mirror import cli
from mirror.errors import BadInput, ChecksFailed, WrongCluster
from mirror.preflight import Cluster, Node, ask, feature, judge
from tests.serving import running

GATE = 'kubernetes_feature_enabled{name="ImageVolume",stage="BETA"} %d\n'


def cluster(version: str, gate: bool | None, runtime: str, node_gate: bool | None = None) -> Cluster:
    nodes = [Node(name="n1", runtime=runtime, image_volume=node_gate)]
    return Cluster(version=version, image_volume=gate, nodes=nodes, protections=[])


@pytest.mark.parametrize(
    ("given", "delivery"),
    [
        (cluster("v1.34.4", True, "containerd://2.4.2", True), "oci+native"),
        (cluster("v1.34.4", True, "containerd://2.4.2", False), "storage-initializer"),
        (cluster("v1.34.4", False, "containerd://2.4.2", True), "storage-initializer"),
        (cluster("v1.34.4", None, "containerd://2.4.2"), "storage-initializer"),
        (cluster("v1.35.0", None, "containerd://2.2.0-rc.1"), "oci+native"),
        (cluster("v1.35.0", True, "containerd://2.1.9", True), "storage-initializer"),
        (cluster("v1.35.0", True, "containerd://1.6.20~ds1", True), "storage-initializer"),
        (cluster("v1.35.0", True, "docker://29.0", True), "storage-initializer"),
        (Cluster(version="v1.35.0", image_volume=True, nodes=[], protections=[]), "storage-initializer"),
    ],
)
def test_models_are_mounted_as_images_where_the_server_and_every_node_can(given: Cluster, delivery: str) -> None:
    verdict = judge(given)
    assert verdict.delivery == delivery
    assert bool(verdict.reasons) == (delivery != "oci+native")


def test_the_metric_is_read_as_it_is_written() -> None:
    assert feature(GATE % 1) is True
    assert feature("# HELP\n" + GATE % 0) is False
    assert feature('kubernetes_feature_enabled{name="ImageVolumeWithDigest",stage="ALPHA"} 1\n') is None
    assert feature(None) is None


class _ApiServer(http.server.BaseHTTPRequestHandler):
    answers: dict[str, str]

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        body = self.answers.get(self.path)
        named = "Authorization" in self.headers
        self.send_response(401 if not named else 200 if body is not None else 403)
        self.send_header("Content-Type", "application/json" if (body or "").startswith("{") else "text/plain")
        content = (body or "{}").encode()
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def api_server() -> Iterator[tuple[str, dict[str, str]]]:
    runtime = {"containerRuntimeVersion": "containerd://2.4.2"}
    info = dict.fromkeys(("architecture", "bootID", "kernelVersion", "kubeProxyVersion", "kubeletVersion"), "x")
    info |= dict.fromkeys(("machineID", "operatingSystem", "osImage", "systemUUID"), "x") | runtime
    node = {"metadata": {"name": "n1"}, "status": {"nodeInfo": info}}
    version = dict.fromkeys(("buildDate", "compiler", "gitCommit", "gitTreeState", "goVersion", "platform"), "x")
    version |= {"major": "1", "minor": "34", "gitVersion": "v1.34.4"}
    answers = {
        "/version/": json.dumps(version),
        "/api/v1/nodes": json.dumps({"apiVersion": "v1", "kind": "NodeList", "metadata": {}, "items": [node]}),
        "/metrics": GATE % 1,
        "/api/v1/nodes/n1/proxy/metrics": GATE % 1,
    }
    kind = type("ApiServer", (_ApiServer,), {"answers": answers})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind)
    with running(server):
        yield f"http://127.0.0.1:{server.server_address[1]}", answers


def kubeconfig(path: Path, url: str) -> Path:
    data = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    }
    path.write_text(json.dumps(data))
    return path


def test_the_cluster_is_asked_for_version_gates_and_runtimes(
    api_server: tuple[str, dict[str, str]], tmp_path: Path
) -> None:
    found = ask(kubeconfig(tmp_path / "kubeconfig", api_server[0]))
    assert structs.replace(found, protections=[]) == cluster("v1.34.4", True, "containerd://2.4.2", True)
    assert {p.name: p.held for p in found.protections} == {
        "secrets-encrypted": "cannot tell",
        "audited": "cannot tell",
        "callers-named": "yes",
    }


def test_metrics_that_may_not_be_read_say_nothing(api_server: tuple[str, dict[str, str]], tmp_path: Path) -> None:
    del api_server[1]["/metrics"], api_server[1]["/api/v1/nodes/n1/proxy/metrics"]
    found = ask(kubeconfig(tmp_path / "kubeconfig", api_server[0]))
    assert structs.replace(found, protections=[]) == cluster("v1.34.4", None, "containerd://2.4.2")


def test_a_protection_that_is_known_not_to_hold_ends_it_unless_that_is_said(
    api_server: tuple[str, dict[str, str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    api_server[1]["/metrics"] += "apiserver_audit_event_total 0\n"
    command = ["preflight", "--kubeconfig", str(kubeconfig(tmp_path / "kubeconfig", api_server[0]))]
    assert cli.run(cli.app, command) == ChecksFailed.exit_code
    said = capsys.readouterr()
    assert "models: oci+native" in said.out
    assert "--without audited" in said.err
    assert cli.run(cli.app, [*command, "--without", "audited"]) == 0
    assert "audited: no" in capsys.readouterr().out


def test_what_cannot_be_told_is_said_and_ends_nothing(
    api_server: tuple[str, dict[str, str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = kubeconfig(tmp_path / "kubeconfig", api_server[0])
    assert cli.run(cli.app, ["preflight", "--kubeconfig", str(path)]) == 0
    assert "secrets-encrypted: cannot tell" in capsys.readouterr().out


def test_a_cluster_that_does_not_answer_or_refuses_is_told(
    api_server: tuple[str, dict[str, str]], tmp_path: Path
) -> None:
    del api_server[1]["/api/v1/nodes"]
    with pytest.raises(WrongCluster, match="Forbidden"):
        ask(kubeconfig(tmp_path / "kubeconfig", api_server[0]))
    with pytest.raises(WrongCluster, match="refused"):
        ask(kubeconfig(tmp_path / "kubeconfig", "http://127.0.0.1:9"))
    with pytest.raises(BadInput):
        ask(tmp_path / "absent")
