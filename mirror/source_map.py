"""Where content is read from: mirrors of hosts, and images that are in no registry. The names stay what they are."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from msgspec.structs import force_setattr, replace

from .errors import BadInput
from .record import FileRecord
from .reference import Reference
from .transports import Place


class SourceMap(FileRecord, frozen=True, kw_only=True, dict=True):
    """Hosts and what stands in for them, as the file says it: ``docker.io: http://127.0.0.1:5100/docker.io``.

    A key is a host (``host[:port]``) as upstream names have it; a value is ``scheme://host[:port][/prefix]`` and
    ``http`` is the only way to ask for plaintext. A host that is not in the map is used as it is, over TLS.

    A key can be an image's reference too, and the value then says where skopeo reads it:
    ``corp.example/team/app:1.4: docker-archive:app.tar``. Paths are relative to the file's directory.
    """

    hosts: dict[str, str] = {}
    images: dict[str, str] = {}

    @classmethod
    def none(cls) -> Self:
        """The map that replaces nothing."""
        return cls()

    @classmethod
    def read_optional(cls, path: Path | None) -> Self:
        """The map in the file at ``path``, or the one that replaces nothing; raises BadInput."""
        return cls.none() if path is None else cls.read(path)

    @classmethod
    def read(cls, path: Path) -> Self:
        """See :class:`FileRecord`."""
        found = super().read(path)
        images = {k: str(place.below(path.absolute().parent)) for k, place in found.places.items()}
        return cls(hosts=found.hosts, images=images)

    @classmethod
    def of_data(cls, data: Any, origin: str) -> Self:  # noqa: ANN401 - whatever the file holds
        """See :class:`FileRecord`: hosts and images stand beside each other in the file."""
        if not isinstance(data, dict) or data.keys() & {"hosts", "images"}:
            return super().of_data(data, origin)
        given = {k: v for k, v in data.items() if k != "version"}
        images = {k: v for k, v in given.items() if isinstance(v, str) and Place.parse(v)}
        hosts = {k: v for k, v in given.items() if k not in images}
        version = {"version": data["version"]} if "version" in data else {}
        return super().of_data({**version, "hosts": hosts, "images": images}, origin)

    def __post_init__(self) -> None:
        """Raises ValueError for what is no endpoint, no image or no place."""
        force_setattr(self, "hosts", {host: _endpoint(host, given) for host, given in self.hosts.items()})
        force_setattr(self, "images", {_tagged(name, place): place for name, place in self.images.items()})

    @cached_property
    def places(self) -> dict[str, Place]:
        """Where skopeo reads images, by their reference with a tag."""
        return {name: place for name, text in self.images.items() if (place := Place.parse(text))}

    def place(self, reference: Reference) -> Place | None:
        """Where ``reference`` is when that is no registry; its digest does not count."""
        return self.places.get(str(replace(reference, digest=None)))

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


def _endpoint(host: str, endpoint: str) -> str:
    parts = urlsplit(endpoint)
    if "/" in host or not host:
        raise ValueError(f"{host!r} is not host[:port]")
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        raise ValueError(f"{host}: {endpoint!r} is not http[s]://host[:port][/prefix]")
    if "@" in parts.netloc:
        raise ValueError(f"{host}: credentials do not belong here; give them in an authfile")
    return endpoint.rstrip("/")


def _tagged(name: str, place: str) -> str:
    reference = Reference.parse(name)
    if reference.digest or not reference.tag:
        raise ValueError(f"{name!r}: an image is named by registry, repository and tag here, without a digest")
    if Place.parse(place) is None:
        raise ValueError(f"{name}: {place!r} is no place such as docker-archive:app.tar")
    return str(reference)
