"""Stand-in for pulumi-resource-kubernetes, in no registry: which kinds are served, and those soon to be.

The kinds of a CustomResourceDefinition are remembered when the engine checks it, before it exists, so that the custom
resources of the same program can be checked in the same preview.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


class NoMatch(Exception):
    """A kind that the API server does not serve."""

    def __init__(self, version: str, kind: str) -> None:
        super().__init__(f'no matches for kind "{kind}" in version "{version}"')


@dataclass(frozen=True)
class Kind:
    """What a path needs to know of a kind."""

    plural: str
    namespaced: bool


class Kinds:
    """The kinds of one API server, asked once per apiVersion and again for each kind that was not found."""

    def __init__(self, resources: Callable[[str], list[dict[str, Any]]]) -> None:
        self._resources = resources
        self._known: dict[tuple[str, str], Kind] = {}

    def find(self, version: str, kind: str) -> Kind:
        """The kind, from memory or from the server; NoMatch when neither knows it."""
        if (version, kind) not in self._known:
            for resource in self._resources(version):
                if "/" not in resource["name"]:  # not a subresource
                    found = Kind(resource["name"], resource["namespaced"])
                    self._known[(version, resource["kind"])] = found
        if (version, kind) not in self._known:
            raise NoMatch(version, kind)
        return self._known[(version, kind)]

    def learn(self, definition: dict[str, Any]) -> None:
        """Remember the kinds of a CustomResourceDefinition that may not be served yet."""
        spec = definition["spec"]
        found = Kind(spec["names"]["plural"], spec["scope"] == "Namespaced")
        for version in spec["versions"]:
            self._known.setdefault((f"{spec['group']}/{version['name']}", spec["names"]["kind"]), found)
