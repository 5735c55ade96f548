"""A token server as registries ask for: names and passwords become signed tokens with what each person may do.

https://distribution.github.io/distribution/spec/auth/token/
"""

from __future__ import annotations

import base64
import http.server
import json
import secrets
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from joserfc import jwt
from joserfc.jwk import ECKey

from tests.serving import running

ISSUER = "site-tokens"
SERVICE = "site-registry"


@dataclass
class TokenServer:
    """Over TLS, with the certificate that it signs with too."""

    certificate: Path
    key: Path
    people: Mapping[str, frozenset[str]]
    """``name:password`` -> the actions that may be done to every repository."""
    url: str = ""
    given: list[str] = field(default_factory=list)
    """The scopes of each token."""

    def settings(self, authorities: Path) -> dict[str, object]:
        """What stands in a registry's configuration, where ``authorities`` signed the certificate."""
        found = {"realm": self.url, "service": SERVICE, "issuer": ISSUER, "rootcertbundle": str(authorities)}
        return {"auth": {"token": found}}

    def token(self, allowed: frozenset[str], scopes: list[str]) -> str:
        """A token for those of ``scopes`` that are ``allowed``, for five minutes."""
        access = []
        for scope in scopes:
            kind, _, rest = scope.partition(":")
            name, _, actions = rest.rpartition(":")
            granted = [a for a in actions.split(",") if a in allowed or (kind == "registry" and "pull" in allowed)]
            access.append({"type": kind, "name": name, "actions": granted})
        now = int(time.time())
        claims = {"iss": ISSUER, "sub": "person", "aud": SERVICE, "iat": now, "nbf": now - 5, "exp": now + 300}
        chain = x509.load_pem_x509_certificates(self.certificate.read_bytes())
        header = {"alg": "ES256", "x5c": [base64.b64encode(c.public_bytes(Encoding.DER)).decode() for c in chain]}
        claims |= {"jti": secrets.token_hex(8), "access": access}
        return jwt.encode(header, claims, ECKey.import_key(self.key.read_bytes()))


class _Answer(http.server.BaseHTTPRequestHandler):
    server_of: TokenServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        tokens = self.server_of
        given = (self.headers["Authorization"] or "").removeprefix("Basic ")
        allowed = tokens.people.get(base64.b64decode(given).decode())
        query = parse_qs(urlsplit(self.path).query)
        if allowed is None or query.get("service") != [SERVICE]:
            return self.answer(401, {"details": "incorrect username or password"})
        tokens.given += query.get("scope", [])
        return self.answer(200, {"token": tokens.token(allowed, query.get("scope", []))})

    def answer(self, status: int, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serving(certificate: Path, key: Path, people: Mapping[str, frozenset[str]]) -> Iterator[TokenServer]:
    made = TokenServer(certificate, key, people)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Serving", (_Answer,), {"server_of": made}))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.daemon_threads = True
    made.url = f"https://127.0.0.1:{server.server_address[1]}/token"
    with running(server):
        yield made
