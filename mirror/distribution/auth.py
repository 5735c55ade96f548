"""Logging in to a registry: by name and password, or by tokens that its token server gives for them.

https://distribution.github.io/distribution/spec/auth/token/
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from urllib.parse import urlencode, urlsplit

from msgspec import Struct, field

from ..errors import RegistryRefused
from . import challenge, refusals
from .challenge import Challenge
from .credentials import Credentials, Login

Ask = Callable[[str, str, dict[str, str], bytes | None], tuple[int, bytes]]
"""Sends a request (method, URL, headers, body) to a token server and returns status and body."""


class Authorization(Struct):
    """What is sent to ``host`` as Authorization, by scopes. Called from several threads."""

    host: str
    credentials: Credentials
    ask: Ask
    plain: bool = False
    _basic: str | None = None
    _tokens: dict[tuple[str, ...], str] = field(default_factory=dict)
    _locks: dict[tuple[str, ...], threading.Lock] = field(default_factory=dict)
    """One for each set of scopes: different tokens are asked for at the same time, the same one once."""

    def header(self, scopes: Sequence[str]) -> str | None:
        """The value for a request that needs ``scopes``, as far as is known; None before the registry asked."""
        return self._basic or self._tokens.get(tuple(scopes))

    def answer(self, header: str, scopes: Sequence[str], sent: str | None) -> str:
        """The value that answers the challenge in ``header``, ``sent`` having been refused; raises RegistryRefused."""
        with self._locks.setdefault(tuple(scopes), threading.Lock()):
            known = self.header(scopes)
            if known and known != sent:
                return known  # Another thread has just answered the same challenge.
            asked = challenge.parse(header)
            repository = scopes[0].split(":")[1] if scopes else ""
            login = self.credentials.login(self.host, repository)
            if asked and asked.scheme == "bearer":
                self._tokens[tuple(scopes)] = token = f"Bearer {self._token(asked, scopes, login)}"
                return token
            if not asked or not login or not login.user or sent:
                why = "its credentials were refused" if login else "it wants a login, and there is none for it"
                raise RegistryRefused(self.host, f"unauthorized: {why}", refusals.LOG_IN)
            self._basic = login.basic
            return self._basic

    def _token(self, asked: Challenge, scopes: Sequence[str], login: Login | None) -> str:
        realm = asked.parameters.get("realm", "")
        parts = urlsplit(realm)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise RegistryRefused(self.host, f"its token server is {realm!r}, no URL", "Mend the registry's setting.")
        if parts.scheme == "http" and not self.plain:
            raise RegistryRefused(
                self.host, "its token server is reached by plain HTTP: a password would be readable", "Give it TLS."
            )
        service = {"service": asked.parameters["service"]} if "service" in asked.parameters else {}
        if login and login.identity_token:
            form = {"grant_type": "refresh_token", "refresh_token": login.identity_token, "client_id": "sealift"}
            body = urlencode({**form, **service, "scope": " ".join(scopes)}).encode()
            status, answer = self.ask("POST", realm, {"Content-Type": "application/x-www-form-urlencoded"}, body)
        else:
            query = urlencode([*service.items(), *(("scope", s) for s in scopes)])
            url = f"{realm}{'&' if parts.query else '?'}{query}"
            headers = {"Authorization": login.basic} if login and login.user else {}
            status, answer = self.ask("GET", url, headers, None)
        if status != 200:
            raise refusals.of_status(f"{self.host} (token server {parts.netloc})", status, answer)
        try:
            said = json.loads(answer)
            return str(said.get("token") or said["access_token"])
        except (ValueError, KeyError, AttributeError) as e:
            raise RegistryRefused(self.host, "its token server gave no token", "Read the server's log.") from e
