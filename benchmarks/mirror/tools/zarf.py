"""Zarf: a package of one component without an SBOM, and ``mirror-resources`` of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from .tool import Command, Place


@dataclass(frozen=True)
class Zarf:
    """The package is one archive; its cache lies in the home directory, and so counts as disk."""

    name: str = "zarf"
    program: str = "zarf"
    copies: float = 3.1
    prefix: str = ""

    def create(self, place: Place, *, change: bool) -> list[Command]:
        """See :class:`Tool`."""
        package = place.directory / "package"
        package.mkdir(exist_ok=True)
        images = [name for _, name in place.sources(change=change)]
        config = {
            "kind": "ZarfPackageConfig",
            "metadata": {"name": "content", "version": "1.0.0", "architecture": "amd64"},
            "components": [{"name": "content", "required": True, "images": images}],
        }
        (package / "zarf.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
        given = ["--confirm", "--skip-sbom", "--plain-http", "--output", str(_output(place))]
        return [[self._path(place), "package", "create", str(package), *given]]

    def load(self, place: Place, *, change: bool) -> list[Command]:
        """See :class:`Tool`."""
        archive = next(_output(place).glob("zarf-package-*"))
        given = ["--confirm", "--images", "--no-img-checksum", "--plain-http", "--registry-url", place.target]
        given += ["--registry-push-username", "nobody", "--registry-push-password", "nothing"]
        return [[self._path(place), "package", "mirror-resources", str(archive), *given]]

    def inventory(self, place: Place) -> list[Command]:
        """See :class:`Tool`."""
        return []

    def _path(self, place: Place) -> str:
        return str(place.programs / self.program)


def _output(place: Place) -> Path:
    return place.directory / "packages"
