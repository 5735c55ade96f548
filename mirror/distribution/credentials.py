"""Credentials for registries, from a file in the form of ~/.docker/config.json and from credential helpers."""

from __future__ import annotations

import base64
import binascii
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import BadInput, RegistryRefused

_HUB = ("https://index.docker.io/v1/", "index.docker.io", "docker.io", "registry-1.docker.io")
"""Docker Hub's names: what ``docker login`` writes, and what stands in references."""
_TOKEN_USER = "<token>"  # noqa: S105 - what docker-credential helpers say instead of a user when they hold a token


@dataclass(frozen=True)
class Login:
    """A name and a password, or an identity token; never printed."""

    user: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)

    @property
    def basic(self) -> str:
        """The value of an Authorization header."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


@dataclass(frozen=True)
class Credentials:
    """Logins by registry. Helpers are asked when a registry wants a login, not before."""

    config: Mapping[str, Any] = field(default_factory=dict, repr=False)
    origin: str = ""

    @classmethod
    def read(cls, path: Path) -> Credentials:
        """From the file at ``path``; raises BadInput when it cannot be read."""
        try:
            data = json.loads(path.read_bytes())
        except (OSError, ValueError) as e:
            raise BadInput(str(path), f"it cannot be read: {e}", "Give a file such as ~/.docker/config.json.") from e
        if not isinstance(data, dict) or not isinstance(data.get("auths", {}), dict):
            raise BadInput(str(path), "it has no object `auths`", "Give a file such as ~/.docker/config.json.")
        return cls(data, str(path))

    @classmethod
    def of_this_person(cls, environment: Mapping[str, str] = os.environ) -> Credentials:
        """What ``podman login`` or ``docker login`` left here, where skopeo looks for it too."""
        for path in _usual(environment):
            if path.is_file():
                return cls.read(path)
        return cls()

    def login(self, host: str, repository: str = "") -> Login | None:
        """The login for ``host[:port]``; an entry for a path below it goes before one for the host."""
        names = _HUB if host in _HUB else (host,)
        helpers = self.config.get("credHelpers") or {}
        for name in names:
            if helper := helpers.get(name):
                return _ask(str(helper), name)
        auths = self.config.get("auths") or {}
        for key in _keys(names, repository):
            if key in auths and (found := _parse(auths[key] or {}, self.origin)):
                return found
        if store := self.config.get("credsStore"):
            return _ask(str(store), names[0])
        return None


def _usual(environment: Mapping[str, str]) -> Iterator[Path]:
    """containers-auth.json(5), then Docker's own."""
    if given := environment.get("REGISTRY_AUTH_FILE"):
        yield Path(given)
    if runtime := environment.get("XDG_RUNTIME_DIR"):
        yield Path(runtime) / "containers/auth.json"
    home = Path(environment.get("HOME") or "~").expanduser()
    yield home / ".config/containers/auth.json"
    yield Path(environment.get("DOCKER_CONFIG") or home / ".docker") / "config.json"


def _keys(names: tuple[str, ...], repository: str) -> Iterator[str]:
    path = repository.split("/") if repository else []
    for length in range(len(path), -1, -1):
        for name in names:
            plain = "/".join([name, *path[:length]])
            yield from (plain, f"https://{plain}", f"https://{plain}/", f"http://{plain}")


def _parse(entry: Mapping[str, Any], origin: str) -> Login | None:
    if token := entry.get("identitytoken"):
        return Login(identity_token=str(token))
    if not (packed := entry.get("auth")):
        user = str(entry.get("username") or "")
        return Login(user, str(entry.get("password") or "")) if user else None
    try:
        user, _, password = base64.b64decode(str(packed), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as e:
        raise BadInput(origin, "an `auth` in it is not base64 of name:password", "Log in again.") from e
    return Login(user, password.rstrip("\0"))


def _ask(helper: str, host: str) -> Login | None:
    """https://github.com/docker/docker-credential-helpers: ``get`` reads the server from standard input."""
    program = f"docker-credential-{helper}"
    try:
        done = subprocess.run([program, "get"], input=host.encode(), capture_output=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as e:
        raise RegistryRefused(host, f"{program} did not answer: {e}", "Mend it, or give --authfile.") from e
    if done.returncode:
        return None
    said = json.loads(done.stdout)
    if said.get("Username") == _TOKEN_USER:
        return Login(identity_token=str(said["Secret"]))
    return Login(str(said.get("Username") or ""), str(said.get("Secret") or ""))
