from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
import testinfra
from testinfra.host import Host

from smoke_tests import spiffe
from smoke_tests.calls import call, parse, resolver_answers


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """The port of a server that hands one connection to ``serve``."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def once() -> None:
            connection, _ = listener.accept()
            with connection:
                serve(connection)

        thread = threading.Thread(target=once)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


@pytest.fixture
def host() -> Host:
    return testinfra.get_host("local://")


def reset(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def test_a_connection_that_is_cut_is_a_reset(host: Host) -> None:
    with listening(reset) as port:
        answer = call(host, f"http://127.0.0.1:{port}/")
    assert answer.reset
    assert not answer.dropped


def test_a_port_where_nobody_listens_is_neither_reset_nor_dropped(host: Host) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    answer = call(host, f"http://127.0.0.1:{port}/")
    assert not answer.reset
    assert not answer.dropped
    assert not answer.connected


def test_an_answer_has_its_status_its_body_and_its_server(host: Host) -> None:
    def forbid(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(
            b"HTTP/1.1 403 Forbidden\r\nserver: istio-envoy\r\ncontent-length: 19\r\n\r\nRBAC: access denied"
        )

    with listening(forbid) as port:
        answer = call(host, f"http://127.0.0.1:{port}/")
    assert (answer.status, answer.body, answer.server) == (403, "RBAC: access denied", "istio-envoy")
    assert answer.summary == "HTTP 403 from istio-envoy"


def test_a_server_that_insists_on_a_certificate_is_told_from_one_that_does_not(host: Host, tmp_path: Path) -> None:
    name = "spiffe://cluster.local/ns/models/sa/default"
    files = [tmp_path / "cert.pem", tmp_path / "key.pem"]
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/"]
    more = ["-addext", f"subjectAltName=critical,URI:{name}", "-out", str(files[0]), "-keyout", str(files[1])]
    subprocess.run([*new, *more], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    context.load_verify_locations(files[0])

    def serve(connection: socket.socket) -> None:
        with suppress(OSError), context.wrap_socket(connection, server_side=True) as tls:
            tls.recv(4096)
            tls.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    with listening(serve) as port:
        lax = call(host, f"https://127.0.0.1:{port}/", "--verbose")
    context.verify_mode = ssl.CERT_REQUIRED
    with listening(serve) as port:
        strict = call(host, f"https://127.0.0.1:{port}/", "--verbose")
    assert (lax.status, lax.demands_certificate) == (204, False)
    assert (strict.status, strict.demands_certificate) == (0, True)
    assert spiffe.in_certificate_chain(strict.certificates) == name


def test_a_resolver_is_heard_and_silence_is_not_an_answer(host: Host) -> None:
    def answer(connection: socket.socket) -> None:
        question = connection.recv(4096)
        assert b"\7example\3com" in question
        connection.sendall(b"\0\2ok")

    with listening(answer) as port:
        assert resolver_answers(host, "127.0.0.1", port=port, seconds=2)
    with listening(reset) as port:
        assert not resolver_answers(host, "127.0.0.1", port=port, seconds=2)


PRINTED = (
    '@@call\n{"exitcode":0,"http_code":502,"time_connect":0.1,"time_appconnect":0.0,"remote_ip":"1.1.1.1"}\nenvoy\n'
)


def test_the_sidecars_own_502_is_not_an_answer_from_outside() -> None:
    answer = parse("", PRINTED)
    assert not answer.reached(through_sidecar=True)
    assert replace(answer, server="cloud").reached(through_sidecar=True)
    assert replace(answer, status=200).reached(through_sidecar=True)


def test_outside_the_mesh_a_connection_alone_counts_as_reached() -> None:
    answer = replace(parse("", PRINTED), status=0, exit=35)
    assert answer.reached(through_sidecar=False)
    assert not answer.reached(through_sidecar=True)
    assert replace(answer, handshake=True).reached(through_sidecar=True)
