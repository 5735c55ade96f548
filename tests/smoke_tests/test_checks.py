"""The checks that look into a cluster, against a cluster that is made of answers and of servers on loopback."""

from __future__ import annotations

import json
import socketserver
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from smoke_tests import session
from smoke_tests.cluster import Cluster
from smoke_tests.environment import Environment
from smoke_tests.evidence import CheckResult, Group, Result
from tests.serving import running

if TYPE_CHECKING:
    from tests.smoke_tests.conftest import Behaviour, FakeKubectl

pytestmark = pytest.mark.slow  # whole runs of the checks

INSIDE = "kubernetes.default.svc.cluster.local:443"
PREDICTOR = "chat-predictor.models.svc.cluster.local:80"
SERVER_ID = "spiffe://cluster.local/ns/models/sa/default"
WEIGHTS = f"registry.test:5000/hub.test/models/tiny@sha256:{'3' * 64}"
PROXY = f"registry.test:5000/docker.io/istio/proxyv2@sha256:{'2' * 64}"


def listen(stack: ExitStack, serve: Callable[[Any], None]) -> int:
    """The port of a server that hands each connection to ``serve``."""

    class Each(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                serve(self.request)

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Each)
    stack.enter_context(running(server))
    return int(server.server_address[1])


@pytest.fixture
def servers() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def http(status: str, body: bytes) -> Callable[[Any], None]:
    def serve(connection: Any) -> None:  # noqa: ANN401 - a socket, as socketserver has it
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 %s\r\ncontent-length: %d\r\n\r\n%s" % (status.encode(), len(body), body))

    return serve


@pytest.fixture
def strict_port(servers: ExitStack, tmp_path: Path) -> int:
    """A sidecar under STRICT: it shows a SPIFFE ID and talks only to those who show a certificate."""
    files = [tmp_path / "id.pem", tmp_path / "id.key"]
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/"]
    names = ["-addext", f"subjectAltName=critical,URI:{SERVER_ID}", "-out", str(files[0]), "-keyout", str(files[1])]
    subprocess.run([*new, *names], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    context.load_verify_locations(files[0])
    context.verify_mode = ssl.CERT_REQUIRED

    def serve(connection: Any) -> None:  # noqa: ANN401 - a socket
        with context.wrap_socket(connection, server_side=True) as tls:
            tls.recv(4096)

    return listen(servers, serve)


def items(*documents: dict[str, Any]) -> dict[str, Any]:
    return {"items": list(documents)}


@pytest.fixture
def good(
    kubectl: FakeKubectl, servers: ExitStack, strict_port: int, server: int, behaviour: Behaviour, tmp_path: Path
) -> FakeKubectl:
    """A cluster in which every check holds."""
    behaviour.open_paths = ("/version",)  # of the API server, which the same fake stands for
    container = {"name": "kserve-container", "image": PROXY, "ports": [{"containerPort": strict_port}]}
    volume = {"name": "model", "image": {"reference": WEIGHTS}}
    predictor = {
        "metadata": {"namespace": "models", "name": "chat-1", "labels": {"app": "chat"}},
        "spec": {"containers": [container], "volumes": [volume]},
        "status": {
            "podIP": "127.0.0.1",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "kserve-container", "imageID": PROXY}],
        },
    }
    principal = "cluster.local/ns/sealift-smoke/sa/client"
    rules = [{"from": [{"source": {"principals": [principal]}}]}]
    restricted = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    kubectl.answers(
        {
            "get pods -n models*": items(predictor),
            "get service chat-predictor -n models": {
                "metadata": {"name": "chat-predictor"},
                "spec": {"clusterIP": "10.96.0.9", "ports": [{"port": 80}]},
            },
            "get networkpolicies*": items({}),
            "get authorizationpolicies.security.istio.io -n models": items(
                {"metadata": {"namespace": "models"}, "spec": {"rules": rules}}
            ),
            "get authorizationpolicies.security.istio.io -n istio-system": items(),
            "get servicecidrs.networking.k8s.io": items({"spec": {"cidrs": ["10.96.0.0/16"]}}),
            "get namespace sealift-smoke --ignore-not-found*": "",
            "get namespace istio-cni": {"metadata": {}},
            "get namespace istio-system": restricted,
            "get namespace models": restricted,
            "apply*": "",
            "wait*": "",
            "delete*": "",
        }
        | {f"exec -n sealift-smoke {n} -c istio-proxy -- pilot-agent request GET certs": certs(n) for n in NAMES}
    )
    accepting, refusing = (
        listen(servers, http(*a)) for a in (("200 OK", b"{}"), ("403 Forbidden", b"RBAC: access denied"))
    )
    pod = {f"127.0.0.1:{strict_port}": strict_port, INSIDE: server}
    kubectl.network("client", {**pod, PREDICTOR: accepting})
    kubectl.network("stranger", {**pod, PREDICTOR: refusing})
    kubectl.network("plain", {**pod, PREDICTOR: strict_port})
    kubectl.network("machine", {f"127.0.0.1:{server}": server})
    return kubectl


NAMES = ("client", "stranger")


def certs(name: str) -> dict[str, Any]:
    names = [{"uri": f"spiffe://cluster.local/ns/sealift-smoke/sa/{name}"}]
    return {"certificates": [{"cert_chain": [{"subject_alt_names": names}]}]}


Run = Callable[..., dict[str, CheckResult]]


@pytest.fixture
def run(environment: Environment, cluster: Cluster, good: FakeKubectl, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("CURL_HOME", str(good.directory / "machine"))

    def run(group: Group, **changes: Any) -> dict[str, CheckResult]:  # noqa: ANN401 - fields of Environment
        evidence = session.run(replace(environment, **changes), cluster, only=frozenset({group}))
        return {c.sentence: c for c in evidence.checks if c.group is group}

    return run


def results(found: dict[str, CheckResult]) -> dict[str, tuple[str, str]]:
    return {c.sentence: (c.result.value, c.reason) for c in found.values() if c.result is not Result.PASSED}


def test_a_strict_mesh_passes_and_tells_who_was_who(run: Run) -> None:
    found = run(Group.MTLS)
    assert results(found) == {}
    facts = {name: value for c in found.values() for name, value in c.facts.items()}
    assert facts["SPIFFE ID of the server"] == SERVER_ID
    assert facts["SPIFFE ID of the caller"] == "spiffe://cluster.local/ns/sealift-smoke/sa/stranger"


def test_a_mesh_that_takes_plain_text_fails(run: Run, good: FakeKubectl, servers: ExitStack, strict_port: int) -> None:
    lax = listen(servers, http("200 OK", b"{}"))
    good.network("plain", {f"127.0.0.1:{strict_port}": lax, PREDICTOR: lax})
    assert results(run(Group.MTLS)).keys() == {
        "A plain-text call from outside the mesh straight to a pod of chat is refused.",
        "A plain-text call from outside the mesh to the Service of chat is refused.",
        "A pod of chat proves its own SPIFFE ID and answers nobody who shows no certificate.",
    }


def test_a_stranger_who_is_let_in_fails(run: Run, good: FakeKubectl, servers: ExitStack) -> None:
    good.network("stranger", {PREDICTOR: listen(servers, http("200 OK", b"{}"))})
    assert results(run(Group.MTLS)) == {
        "A caller in the mesh whose identity no policy of chat names is told 403.": (
            "failed",
            "it was answered HTTP 200",
        )
    }


def test_a_predictor_that_nobody_listens_for_is_down_and_not_refused(run: Run, good: FakeKubectl) -> None:
    good.network("plain", {})
    assert "A plain-text call from outside the mesh to the Service of chat is refused." in results(run(Group.MTLS))


def test_nothing_is_proved_about_mutual_tls_while_the_model_is_down(run: Run) -> None:
    found = run(Group.MTLS, port=9)
    assert {c.result for c in found.values()} == {Result.FAILED}


def test_without_policies_identities_are_not_judged(run: Run, good: FakeKubectl) -> None:
    good.answers({"get authorizationpolicies.security.istio.io -n models": items()})
    (entry,) = results(run(Group.MTLS)).values()
    assert entry == ("not-asked", "the stack has no AuthorizationPolicy that lists who may call")


def test_a_closed_site_passes(run: Run) -> None:
    found = run(Group.EGRESS)
    entries = results(found)
    assert [e[0] for e in entries.values()] == ["not-asked"]
    assert "--egress" in next(iter(entries.values()))[1]
    facts = [c.facts for c in found.values() if c.result is Result.PASSED]
    assert all(len(f) == 7 for f in facts)


def test_a_way_out_of_a_pod_fails(run: Run, good: FakeKubectl, server: int) -> None:
    good.network("client", {INSIDE: server, "huggingface.co:443": server})
    (entry,) = (e for e in results(run(Group.EGRESS)).values() if e[0] == "failed")
    assert entry[1].startswith("reached: https://huggingface.co/ (HTTP 404")


def test_a_resolver_that_answers_a_pod_fails(run: Run, good: FakeKubectl, server: int, servers: ExitStack) -> None:
    good.network("plain", {INSIDE: server, "8.8.8.8:53": listen(servers, http("answer", b""))})
    (entry,) = (e for e in results(run(Group.EGRESS)).values() if e[0] == "failed")
    assert entry[1] == "reached: 8.8.8.8:53"


def test_a_pod_without_any_network_proves_nothing_about_egress(run: Run, good: FakeKubectl) -> None:
    good.network("client", {})
    (entry,) = (e for e in results(run(Group.EGRESS)).values() if e[0] == "failed")
    assert "even a name inside does not answer" in entry[1]


@pytest.mark.parametrize(
    ("source", "result"),
    [("sealift-smoke/client", []), ("models/chat-1", ["models/chat-1 to 1.1.1.1 tcp/443 (2 packets)"])],
)
def test_the_sites_account_is_judged(source: str, result: list[str], run: Run, tmp_path: Path) -> None:
    packets = {"source": source, "destination": "1.1.1.1", "protocol": "tcp", "port": 443, "packets": 2}
    account = tmp_path / "egress.json"
    account.write_text(json.dumps({"packets": [packets], "dns": []}))
    assert [reason for _, reason in results(run(Group.EGRESS, egress=account)).values()] == result


def test_what_was_carried_passes_and_what_was_not_fails(run: Run, good: FakeKubectl) -> None:
    assert results(run(Group.IMAGES)) == {}
    other = PROXY.replace("2" * 64, "9" * 64)
    stray = {
        "metadata": {"namespace": "istio-system", "name": "stray"},
        "spec": {"containers": [{"name": "c", "image": "docker.io/evil:1"}]},
        "status": {"containerStatuses": [{"name": "c", "imageID": other}]},
    }
    good.answers({"get pods -n istio-system": items(stray)})
    reasons = [reason for _, reason in results(run(Group.IMAGES)).values()]
    assert reasons == [
        f"istio-system/stray container c runs sha256:{'9' * 64}",
        "istio-system/stray container c names docker.io/evil:1",
    ]


def test_without_mounted_weights_nothing_is_said_about_them(run: Run, good: FakeKubectl) -> None:
    good.answers({"get pods -n models": items()})
    assert "no running pod mounts weights" in [reason for _, reason in results(run(Group.IMAGES)).values()]


PRIVILEGED = "A privileged pod is refused where models run; the same pod without privileges would be accepted."


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("pod/x", "models would accept a privileged pod"),
        ({"error": "violates PodSecurity"}, "in models even the conforming pod is refused"),
    ],
    ids=["all accepted", "all refused"],
)
def test_admission_that_does_not_tell_pods_apart_fails(
    answer: object, reason: str, run: Run, good: FakeKubectl, behaviour: Behaviour
) -> None:
    behaviour.open_paths = ()
    good.answers({"create*": answer})
    found = results(run(Group.HARDENING))
    assert reason in found[PRIVILEGED][1]


def test_a_namespace_that_is_not_restricted_fails(run: Run, good: FakeKubectl) -> None:
    good.answers({"create*": "pod/x", "get namespace istio-system": {"metadata": {}}})
    assert ("failed", "istio-system enforces nothing") in results(run(Group.HARDENING)).values()


def test_a_path_beside_the_api_that_is_open_fails(run: Run, good: FakeKubectl, behaviour: Behaviour) -> None:
    good.answers({"create*": "pod/x"})
    behaviour.open_paths = ("/metrics",)
    assert ("failed", "answered as well: /metrics") in results(run(Group.HARDENING)).values()
