"""Where upstream is read from. Replaces hosts and nothing else: names in lock, bundle and receipt stay upstream's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from pydantic import field_validator, model_validator

from .document import FileModel
from .errors import BadInput
from .reference import Reference


class SourceMap(FileModel):
    """Hosts and what stands in for them, as the file says it: ``docker.io: http://127.0.0.1:5100/docker.io``.

    A key is a host (``host[:port]``) as upstream names have it; a value is ``scheme://host[:port][/prefix]`` and
    ``http`` is the only way to ask for plaintext. A host that is not in the map is used as it is, over TLS.
    """

    hosts: dict[str, str] = {}

    @classmethod
    def none(cls) -> Self:
        """The map that replaces nothing."""
        return cls()

    @classmethod
    def read_optional(cls, path: Path | None) -> Self:
        """The map in the file at ``path``, or the one that replaces nothing; raises BadInput."""
        return cls.none() if path is None else cls.read(path)

    @model_validator(mode="before")
    @classmethod
    def _hosts_at_the_top(cls, data: Any) -> Any:  # noqa: ANN401 - whatever the file holds
        if not isinstance(data, dict) or "hosts" in data:
            return data
        return {
            **({"version": data["version"]} if "version" in data else {}),
            "hosts": {k: v for k, v in data.items() if k != "version"},
        }

    @field_validator("hosts")
    @classmethod
    def _endpoints(cls, hosts: dict[str, str]) -> dict[str, str]:
        for host, endpoint in hosts.items():
            parts = urlsplit(endpoint)
            if "/" in host or not host:
                raise ValueError(f"{host!r} is not host[:port]")
            if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
                raise ValueError(f"{host}: {endpoint!r} is not http[s]://host[:port][/prefix]")
            if "@" in parts.netloc:
                raise ValueError(f"{host}: credentials do not belong here; give them in an authfile")
        return {host: endpoint.rstrip("/") for host, endpoint in hosts.items()}

    def image(self, reference: Reference) -> tuple[Reference, bool]:
        """Where ``reference`` is read from, and whether over plain HTTP."""
        endpoint = self.hosts.get(reference.registry)
        if endpoint is None:
            return reference, False
        parts = urlsplit(endpoint)
        path = f"{parts.path.strip('/')}/{reference.repository}".lstrip("/")
        return replace(reference, registry=parts.netloc, repository=path), parts.scheme == "http"

    def url(self, url: str) -> str:
        """Where ``url`` is fetched from; raises BadInput unless it is an absolute http(s) URL."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise BadInput(f"URL {url!r}", "it is not http[s]://host/path", "Give the whole URL.")
        endpoint = self.hosts.get(parts.netloc)
        if endpoint is None:
            return url
        return endpoint + parts.path + (f"?{parts.query}" if parts.query else "")

    def hub(self, host: str) -> str:
        """The endpoint URL, without a trailing slash, of the model hub called ``host``."""
        return self.hosts.get(host, f"https://{host}")
