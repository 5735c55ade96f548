"""Whose certificates are believed."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from mirror.distribution.authorities import Authorities
from mirror.distribution.connection import Connections
from tests.serving import running

if TYPE_CHECKING:
    from conftest import Authority


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def host(site_ca: Authority) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(site_ca.certificate, site_ca.key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None  # type: ignore[method-assign,assignment]
    with running(server):
        yield f"127.0.0.1:{server.server_address[1]}"


def test_an_authority_in_a_file_is_believed_without_reading_the_systems(host: str, site_ca: Authority) -> None:
    authorities = Authorities(site_ca.ca)
    Connections(host, authorities).fresh().close()
    assert not authorities.all


def test_an_authority_of_the_system_is_believed_beside_the_one_in_a_file(
    host: str, site_ca: Authority, other_ca: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(site_ca.ca))
    Connections(host, Authorities(other_ca.ca)).fresh().close()
    Connections(host, Authorities()).fresh().close()


def test_any_other_authority_is_not(host: str, other_ca: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(other_ca.ca))
    for authorities in (Authorities(other_ca.ca), Authorities()):
        with pytest.raises(ssl.SSLCertVerificationError):
            Connections(host, authorities).fresh()
        assert authorities.all
