"""Other tools' configuration as the beginning of a catalog: what it names, to be reviewed and given licences."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ..catalog import Catalog, ChartSource, ImagesSource, ManifestSource, Part
from ..errors import BadInput, SealiftError
from ..reference import Reference
from ..text import Dumper, Loader, shallow

UNKNOWN = "LicenseRef-Unknown"
"""No list allows it, so what was imported is not locked until somebody says what it is."""


@dataclass
class _Met:
    """What was met so far."""

    origin: str
    parts: list[Part] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    def part(self, name: str, source: ChartSource | ManifestSource | ImagesSource, namespace: str | None) -> None:
        taken = {p.name for p in self.parts}
        base = re.sub(r"[^a-z0-9.-]+", "-", name.lower()).strip("-.")[:58] or "part"
        free = next(n for n in (base, *(f"{base}-{i}" for i in range(2, 10_000))) if n not in taken)
        reason = f"Imported from {Path(self.origin).name}: say here what it is for."
        self.parts.append(Part(name=free, source=source, namespace=namespace, licence=UNKNOWN, reason=reason))

    def image(self, text: object) -> None:
        if re.search(r":sha256-[0-9a-f]{64}\.(sig|att|sbom)$", str(text)):
            return  # Of an image that is named too; the lock finds these by itself.
        try:
            self.images.append(str(Reference.parse(str(text))))
        except SealiftError as e:
            self.left.append(f"image {text}: {e.why}")


@dataclass(frozen=True)
class Imported:
    """A catalog's beginning, and what was named and cannot stand in one."""

    catalog: Catalog
    left: list[str]


def read(file: Path, format_: str) -> Imported:
    """The content of another tool's ``file``, in one of FORMATS; raises BadInput for what is no such file."""
    try:
        content = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise BadInput(str(file), str(e), "Give a readable text file.") from e
    met = _Met(str(file))
    FORMATS[format_](content, met)
    if met.images:
        met.part("images", ImagesSource(images=sorted(set(met.images))), None)
    if not met.parts:
        left = f" ({'; '.join(met.left)})" if met.left else ""
        raise BadInput(str(file), f"it names nothing that can be carried{left}", f"Is it {format_}'s?")
    return Imported(Catalog(parts=met.parts), met.left)


def text(catalog: Catalog) -> str:
    """The parts of ``catalog`` as a file of one."""
    data = {"version": 1, "parts": [p.model_dump(mode="json", exclude_none=True) for p in catalog.parts]}
    return str(yaml.dump(data, Dumper=Dumper, sort_keys=False, width=120))


def _lines(text_: str, met: _Met) -> None:
    for line in text_.splitlines():
        if name := line.partition("#")[0].strip():
            met.image(name)


def _hauler(text_: str, met: _Met) -> None:
    for d in _documents(text_, met.origin):
        kind, spec = str(d.get("kind")), _map(d.get("spec"))
        if not str(d.get("apiVersion", "")).startswith("content.hauler.cattle.io/"):
            met.left.append(f"{kind}: it is not Hauler's")
        for image in _list(spec.get("images")):
            met.image(_map(image).get("name"))
        for chart in _list(spec.get("charts")):
            c = _map(chart)
            _chart(met, str(c.get("name")), f"{c.get('repoURL', '')}/{c.get('name')}", c.get("version"))
        for file in _list(spec.get("files")):
            _release(met, str(_map(file).get("name") or "file"), [_map(file).get("path")], None)


def _zarf(text_: str, met: _Met) -> None:
    for package in _documents(text_, met.origin):
        for each in _list(package.get("components")):
            component = _map(each)
            name = str(component.get("name"))
            for chart in map(_map, _list(component.get("charts"))):
                if chart.get("valuesFiles") or chart.get("localPath"):
                    met.left.append(f"chart {chart.get('name')}: its values files or local path; give values here")
                where = (chart.get("releaseName") or chart.get("name"), chart.get("namespace"))
                _chart(met, str(chart.get("name")), str(chart.get("url", "")), chart.get("version"), where)
            for manifest in map(_map, _list(component.get("manifests"))):
                _release(met, str(manifest.get("name")), _list(manifest.get("files")), manifest.get("namespace"))
            for image in _list(component.get("images")):
                met.image(image)
            for other in ("repos", "files", "actions", "dataInjections", "imageArchives", "import"):
                if component.get(other):
                    met.left.append(f"component {name}: its {other}")


def _oc_mirror(text_: str, met: _Met) -> None:
    for d in _documents(text_, met.origin):
        if d.get("kind") != "ImageSetConfiguration":
            met.left.append(f"{d.get('kind')}: it is no ImageSetConfiguration")
        mirror = _map(d.get("mirror"))
        for image in _list(mirror.get("additionalImages")):
            met.image(_map(image).get("name"))
        for repository in map(_map, _list(_map(mirror.get("helm")).get("repositories"))):
            for chart in map(_map, _list(repository.get("charts"))):
                url = f"{repository.get('url', '')}/{chart.get('name')}"
                _chart(met, str(chart.get("name")), url, chart.get("version"))
        for other in ("platform", "operators", "samples", "blockedImages"):
            if mirror.get(other):
                met.left.append(f"{other}: of OpenShift itself, which is not for a catalog to carry")


def _chart(met: _Met, name: str, url: str, version: object, where: tuple[Any, Any] | None = None) -> None:
    if not url.startswith("oci://") or not version:
        met.left.append(f"chart {name}: {f'{url} is no oci:// address' if version else 'it has no version'}")
        return
    release, namespace = where or (name, None)
    source = ChartSource(oci=url.removeprefix("oci://"), version=str(version), release=_name(release))
    met.part(name, source, _name(namespace) if namespace else None)


def _release(met: _Met, name: str, files: Sequence[Any], namespace: object) -> None:
    # Zarf writes a sha256 behind the address; the lock computes its own.
    urls = [re.sub(r"@[0-9a-f]{64}$", "", str(f)) for f in files]
    yes = [u for u in urls if re.match(r"https?://", u) and u.endswith((".yaml", ".yml"))]
    met.left += [f"file {u}: no YAML at an address" for u in urls if u not in yes]
    if yes:
        met.part(name, ManifestSource(urls=yes), _name(namespace) if namespace else None)


def _name(text: object) -> str:
    return re.sub(r"[^a-z0-9.-]+", "-", str(text).lower()).strip("-.")[:63] or "unnamed"


def _documents(text: str, origin: str) -> Iterator[Mapping[str, Any]]:
    try:
        loaded = list(yaml.load_all(shallow(text), Loader))
    except (yaml.YAMLError, RecursionError) as e:
        raise BadInput(origin, f"not well-formed YAML: {e}", "Mend the syntax.") from e
    for d in loaded:
        if d is not None and not isinstance(d, dict):
            raise BadInput(origin, "a document in it is no mapping", "Give the tool's own file.")
        if d:
            yield d


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else []


FORMATS = {"list": _lines, "hauler": _hauler, "zarf": _zarf, "oc-mirror": _oc_mirror}
