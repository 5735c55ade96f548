"""What a registry lists and lets be deleted: repositories, tags, manifests."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

from ..errors import RegistryRefused
from . import refusals
from .endpoint import Endpoint
from .pull import pull_scope

PAGE = 1000
MOST = 10_000
"""Pages after which a registry is taken for one that never ends."""


def repositories(endpoint: Endpoint) -> list[str]:
    """All repositories that the registry tells of, sorted; raises RegistryRefused."""
    return sorted(set(_pages(endpoint, f"/v2/_catalog?n={PAGE}", "repositories", "registry:catalog:*")))


def tags(endpoint: Endpoint, repository: str) -> list[str]:
    """The tags of ``repository``, sorted; none where there is no such repository. Raises RegistryRefused."""
    path = f"/v2/{repository}/tags/list?n={PAGE}"
    return sorted(set(_pages(endpoint, path, "tags", pull_scope(repository))))


def delete_manifest(endpoint: Endpoint, repository: str, digest: str) -> bool:
    """Delete a manifest with its tags; False when it is not there. Raises RegistryRefused, where it is not allowed."""
    subject = f"{endpoint.host}/{repository}@{digest}"
    path, scope = f"/v2/{repository}/manifests/{digest}", f"repository:{repository}:delete,pull,push"
    answer = endpoint.request("DELETE", path, subject=subject, scopes=[scope])
    if answer.status == 404:
        return False
    if answer.status == 405:
        raise RegistryRefused(subject, "it does not allow deletion", "Allow it: distribution's storage.delete.enabled.")
    if answer.status not in (200, 202, 204):
        raise refusals.of_status(subject, answer.status, answer.body)
    return True


def _pages(endpoint: Endpoint, path: str, field: str, scope: str) -> Iterator[str]:
    for _ in range(MOST):
        answer = endpoint.request("GET", path, subject=f"{endpoint.host}{path}", scopes=[scope])
        if answer.status == 404:
            return
        if answer.status != 200:
            raise refusals.of_status(f"{endpoint.host}{path}", answer.status, answer.body)
        try:
            yield from (str(x) for x in json.loads(answer.body).get(field) or [])
        except (ValueError, AttributeError, TypeError) as e:
            raise RegistryRefused(f"{endpoint.host}{path}", "it answers with no list", "Read its log.") from e
        following = re.match(r"\s*<([^>]+)>\s*;.*rel=\"?next", answer.headers["Link"] or "")
        if not following:
            return
        parts = urlsplit(urljoin(f"http://{endpoint.host}{path}", following[1]))
        path = parts.path + (f"?{parts.query}" if parts.query else "")
