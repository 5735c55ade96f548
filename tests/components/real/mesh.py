"""The ingress gateway without a cluster: the real API server and istiod, and Envoy with the configuration istiod sends.

Nothing here decides what a request may do: the objects are the product's, istiod translates them, Envoy enforces.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import yaml

from components.documents import Document
from testbed.upstream import modules
from tests.api_server import free_ports, program
from tests.serving import running
from tests.testbed.pulumi.real.conftest import ControlPlane

NAMESPACE = "istio-system"
SECONDS = 20


@dataclass
class Upstream:
    """What stands where the model server would: it answers with what it was sent."""

    port: int = 0
    seen: list[dict[str, str]] = field(default_factory=list)
    """Headers of the requests that got through."""

    @contextmanager
    def serving(self) -> Iterator[Upstream]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: object) -> None:
                """Stay quiet."""

            def do_GET(self) -> None:
                outer.seen.append({k.lower(): v for k, v in self.headers.items()})
                if "slow" in self.path:
                    time.sleep(1.5)
                plain = "plain" in self.path
                body = b"connect error 10.1.2.3" if plain else json.dumps({"path": self.path}).encode()
                self.send_response(503 if plain else 200)
                self.send_header("content-type", "text/plain" if plain else "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                self.do_GET()

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        self.port = server.server_address[1]
        with running(server):
            yield self


@dataclass
class Gateway:
    """Envoy as ``istiod`` configures it. ``hosts`` are answered by ``upstream``."""

    directory: Path
    plane: ControlPlane
    upstream: Upstream
    envoy: Path
    ports: list[int] = field(default_factory=lambda: free_ports(6))

    @property
    def port(self) -> int:
        """Where the gateway listens. In plain text: what is tested is what it does with requests."""
        return self.ports[0]

    def prepare(self) -> None:
        """The types that istiod watches."""
        crds = modules.directory("istio.io/istio") / "manifests/charts/base/files/crd-all.gen.yaml"
        self.kubectl("apply", "--server-side", "-f", str(crds))
        self.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
        self.kubectl("create", "namespace", NAMESPACE)

    def apply(self, documents: Iterable[Document]) -> None:
        """Server-side apply of ``documents``."""
        listed = {"apiVersion": "v1", "kind": "List", "items": list(documents)}
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", given=json.dumps(listed))

    def kubectl(self, *arguments: str, given: str | None = None) -> str:
        command = [program("kubectl"), f"--kubeconfig={self.plane.kubeconfig}", *arguments]
        done = subprocess.run(command, input=given, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def routes(self, hosts: Iterable[str], service: str) -> list[Document]:
        """What KServe's or Knative's controllers would make: a listener, a route, and where it leads."""
        plain = {"port": {"number": self.port, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}
        route = {"timeout": "3s", "route": [{"destination": {"host": service, "port": {"number": 80}}}]}
        address = {"address": "127.0.0.1", "ports": {"http": self.upstream.port}}
        return [
            _networking("Gateway", "gateway", {"selector": {"istio": "ingressgateway"}, "servers": [plain]}),
            _networking("VirtualService", "model", {"hosts": list(hosts), "gateways": ["gateway"], "http": [route]}),
            _networking(
                "ServiceEntry",
                "model",
                {
                    "hosts": [service],
                    "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
                    "resolution": "STATIC",
                    "endpoints": [address],
                },
            ),
        ]

    def listen_with_tls(self) -> None:
        """One more listener, with TLS. No agent is there to hand out a certificate: it is only looked at."""
        tls = {"mode": "SIMPLE", "serverCertificate": "/none.crt", "privateKey": "/none.key"}
        server = {
            "port": {"number": self.ports[3], "name": "https", "protocol": "HTTPS"},
            "hosts": ["*.test"],
            "tls": tls,
        }
        self.apply([_networking("Gateway", "secure", {"selector": {"istio": "ingressgateway"}, "servers": [server]})])

    @contextmanager
    def running(self, mesh: dict[str, Any]) -> Iterator[Gateway]:
        """istiod with the mesh's configuration, and the gateway's proxy."""
        with ExitStack() as stack:
            stack.enter_context(self._istiod(mesh))
            stack.enter_context(self._proxy())
            yield self

    def request(self, method: str, path: str, host: str, **options: Any) -> httpx2.Response:  # noqa: ANN401 - as httpx2
        """One request on a connection of its own."""
        headers = {"host": host, **options.pop("headers", {})}
        with httpx2.Client(trust_env=False, timeout=20) as client:
            return client.request(method, f"http://127.0.0.1:{self.port}{path}", headers=headers, **options)

    def config(self) -> str:
        """All of the proxy's configuration, as it runs."""
        return httpx2.get(f"http://127.0.0.1:{self.ports[2]}/config_dump", trust_env=False).text

    def log(self) -> str:
        """What the proxy wrote: access log and complaints."""
        return (self.directory / "envoy.log").read_text()

    def until(self, what: str, condition: Any) -> None:  # noqa: ANN401 - a callable
        """Wait until ``condition`` holds."""
        end = time.monotonic() + SECONDS
        while not condition():
            assert time.monotonic() < end, f"{what}: {self.log()[-3000:]}\n{self._istiod_log()[-3000:]}"
            time.sleep(0.2)

    def answers(self, host: str) -> bool:
        """Whether anything answers at the gateway."""
        try:
            self.request("GET", "/", host)
        except httpx2.TransportError:
            return False
        return True

    @contextmanager
    def _istiod(self, mesh: dict[str, Any]) -> Iterator[None]:
        (self.directory / "mesh.yaml").write_text(yaml.safe_dump(mesh))
        _, grpc, _, _, http, monitoring = self.ports
        words = [
            "discovery",
            f"--kubeconfig={self.plane.kubeconfig}",
            f"--meshConfig={self.directory / 'mesh.yaml'}",
            f"--networksConfig={self.directory / 'none'}",
            f"--grpcAddr=127.0.0.1:{grpc}",
            f"--httpAddr=127.0.0.1:{http}",
            f"--monitoringAddr=127.0.0.1:{monitoring}",
            *("--httpsAddr=", "--secureGRPCAddr=", "--ctrlz_port=0"),
        ]
        switches = {
            # As the image of the rehearsal: the filters that only Istio's own Envoy has.
            "PILOT_ENABLE_METADATA_EXCHANGE": "false",
            "PILOT_ENABLE_ALPN_FILTER": "false",
            # No certificates: the proxy below talks to it on the loopback.
            "PILOT_CERT_PROVIDER": "none",
            "ENABLE_CA_SERVER": "false",
            "PILOT_ENABLE_GATEWAY_API": "false",
            "VALIDATION_WEBHOOK_CONFIG_NAME": "",
            "INJECTION_WEBHOOK_CONFIG_NAME": "",
            "POD_NAMESPACE": NAMESPACE,
            "POD_NAME": "istiod",
        }
        with self._process("istiod", [program("pilot-discovery"), *words], {**os.environ, **switches}):
            self.until("istiod is ready", lambda: _listens(grpc))
            yield

    @contextmanager
    def _proxy(self) -> Iterator[None]:
        bootstrap = self.directory / "envoy.json"
        bootstrap.write_text(json.dumps(_bootstrap(self.ports[1], self.ports[2])))
        words = [str(self.envoy), "-c", str(bootstrap), "--concurrency", "2", "--disable-hot-restart"]
        with self._process("envoy", [*words, "--log-level", "warning"], dict(os.environ)):
            self.until("the gateway listens", lambda: _listens(self.port))
            yield

    @contextmanager
    def _process(self, name: str, words: list[str], environment: dict[str, str]) -> Iterator[None]:
        with (self.directory / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(words, stdout=log, stderr=log, env=environment, cwd=self.directory)
        try:
            yield
        finally:
            process.kill()
            process.wait()

    def _istiod_log(self) -> str:
        return (self.directory / "istiod.log").read_text()


def _networking(kind: str, name: str, spec: dict[str, Any]) -> Document:
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": "networking.istio.io/v1", "kind": kind, "metadata": metadata, "spec": spec}


def _bootstrap(xds: int, admin: int) -> dict[str, Any]:
    source = {"ads": {}, "resource_api_version": "V3"}
    ads = {
        "api_type": "GRPC",
        "transport_api_version": "V3",
        "grpc_services": [{"envoy_grpc": {"cluster_name": "xds"}}],
    }
    options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    http2 = {"@type": f"type.googleapis.com/{options}", "explicit_http_config": {"http2_protocol_options": {}}}
    metadata = {"LABELS": {"istio": "ingressgateway"}, "NAMESPACE": NAMESPACE, "CLUSTER_ID": "Kubernetes"}
    return {
        "node": {
            "id": f"router~192.0.2.1~gateway.{NAMESPACE}~{NAMESPACE}.svc.cluster.local",
            "cluster": "gateway",
            "metadata": {**metadata, "ISTIO_VERSION": "1.31.0"},
        },
        "admin": {"address": _address(admin)},
        "dynamic_resources": {"lds_config": source, "cds_config": source, "ads_config": ads},
        "static_resources": {
            "clusters": [
                {
                    "name": "xds",
                    "type": "STATIC",
                    "connect_timeout": "2s",
                    "typed_extension_protocol_options": {options: http2},
                    "load_assignment": {
                        "cluster_name": "xds",
                        "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(xds)}}]}],
                    },
                }
            ]
        },
    }


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
