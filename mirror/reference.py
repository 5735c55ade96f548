"""An image reference, parsed once into a value, and the pure functions from a source's name to its mirrored name."""

from __future__ import annotations

import re

from msgspec import Struct
from msgspec.structs import replace

from .errors import BadInput

DOCKER_HUB = "docker.io"

# Grammar: the distribution project's reference package (github.com/distribution/reference).
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_REGISTRY = re.compile(
    r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
)
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_MAX_NAME = 255


class Reference(Struct, frozen=True, order=True):
    """A fully qualified image name with a tag, a digest or both.

    ``registry`` is ``host[:port]``; ``repository`` is the path below it; ``digest`` is ``sha256:<64 hex>``.
    Docker Hub's short forms are completed: ``busybox`` is ``docker.io/library/busybox:latest``.
    """

    registry: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Parse ``text`` as container tools do; raises BadInput when it is no image reference."""
        rest, _, digest = text.partition("@")
        registry, repository, tag = _split(rest)
        problem = _problem(text, registry, repository, tag, digest)
        if problem:
            raise BadInput(
                f"image reference {text!r}", problem, "Write [registry/]repository[:tag][@sha256:<64 hex digits>]."
            )
        if not tag and not digest:
            tag = "latest"
        return cls(registry, repository, tag or None, digest or None)

    @property
    def name(self) -> str:
        """``registry/repository``, without tag and digest."""
        return f"{self.registry}/{self.repository}"

    def with_digest(self, digest: str) -> Reference:
        """The same name and tag, pinned to ``digest``."""
        return replace(self, digest=digest)

    def pinned(self) -> Reference:
        """The name and digest alone: how everything inside the gap is named."""
        if self.digest is None:
            raise BadInput(f"image reference {self}", "it has no digest", "Pin it by digest.")
        return replace(self, tag=None)

    def __str__(self) -> str:
        return self.name + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


def mirrored(source: Reference, registry: str) -> Reference:
    """The name of ``source`` in the internal registry: its whole origin becomes the path.

    ``registry`` is ``host[:port][/prefix]``. ``quay.io/org/app`` becomes ``<registry>/quay.io/org/app``; a port in
    the source's host becomes ``_port`` because a repository path cannot hold a colon.
    """
    host, _, prefix = registry.partition("/")
    path = "/".join(p for p in (prefix, source.registry.replace(":", "_").lower(), source.repository) if p)
    return replace(source, registry=host, repository=path)


def delivered(reference: str, digest: str, registry: str) -> Reference:
    """Where a load brings what upstream calls ``reference``: its mirrored name in ``registry``, with ``digest``."""
    return mirrored(Reference.parse(reference), registry).with_digest(digest)


def _split(rest: str) -> tuple[str, str, str]:
    first, slash, remainder = rest.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost" or first.lower() != first):
        registry, path = first, remainder
    else:
        registry, path = DOCKER_HUB, rest
    repository, _, tag = path.partition(":")
    if registry in (DOCKER_HUB, "index.docker.io"):
        registry = DOCKER_HUB
        if "/" not in repository:
            repository = f"library/{repository}"
    return registry, repository, tag


def _problem(text: str, registry: str, repository: str, tag: str, digest: str) -> str | None:
    if not _REGISTRY.fullmatch(registry):
        return f"{registry!r} is no registry host"
    if not _PATH.fullmatch(repository):
        return f"{repository!r} is no repository path (lower case letters, digits, '.', '_', '-', '/')"
    if len(registry) + 1 + len(repository) > _MAX_NAME:
        return f"the name is longer than {_MAX_NAME} characters"
    if (":" in text.partition("@")[0].rpartition("/")[2]) and not _TAG.fullmatch(tag):
        return f"{tag!r} is no tag"
    if "@" in text and not _DIGEST.fullmatch(digest):
        return f"{digest!r} is no sha256 digest"
    return None
