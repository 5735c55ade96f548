"""The real charts of the Go modules, packaged as their projects' release tools do, as artifacts of the registry."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mirror.errors import ToolMissing

from .store import MANIFEST, Blob, Store

# https://helm.sh/docs/topics/registries/#helm-chart-manifest
CHART_CONFIG = "application/vnd.cncf.helm.config.v1+json"
CHART_LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"

ISTIO_VERSION = "1.31.0"
CERT_MANAGER_VERSION = "v1.21.2"
KSERVE_VERSION = "v0.20.0"


@dataclass(frozen=True)
class Chart:
    """A chart of ``module`` at ``path`` that is published as ``repository:version``."""

    repository: str
    version: str
    module: str
    path: str
    prepare: Callable[[Path, str], None] = lambda _directory, _version: None
    """What the project's release tool does to the sources, given a copy of them and the version."""

    @property
    def name(self) -> str:
        """``repository:version``."""
        return f"{self.repository}:{self.version}"


def _istio(directory: Path, version: str) -> None:
    """istio/release-builder puts the release's hub and tag where the sources name the development builds'."""
    values = directory / "values.yaml"
    text = values.read_text()
    text = text.replace("hub: registry.istio.io/testing", "hub: docker.io/istio")
    values.write_text(text.replace("tag: latest", f"tag: {version}"))


def _cert_manager(directory: Path, version: str) -> None:
    """make/manifests.mk of cert-manager: the README gets the version, Chart.yaml two annotations."""
    readme = (directory / "README.template.md").read_text().replace("{{RELEASE_VERSION}}", version)
    (directory / "README.md").write_text(readme)
    file = directory / "Chart.yaml"
    chart = yaml.safe_load(file.read_text())
    chart["annotations"]["artifacthub.io/signKey"] = (directory / "signkey_annotation.txt").read_text()
    chart["annotations"]["artifacthub.io/prerelease"] = "false"
    file.write_text(yaml.safe_dump(chart, sort_keys=False))


_ISTIO = "ghcr.io/istio/release/charts"
_KSERVE = "ghcr.io/kserve/charts"
CHARTS = (
    Chart(f"{_ISTIO}/base", ISTIO_VERSION, "istio.io/istio", "manifests/charts/base", _istio),
    Chart(f"{_ISTIO}/cni", ISTIO_VERSION, "istio.io/istio", "manifests/charts/istio-cni", _istio),
    Chart(
        f"{_ISTIO}/istiod", ISTIO_VERSION, "istio.io/istio", "manifests/charts/istio-control/istio-discovery", _istio
    ),
    Chart(f"{_ISTIO}/gateway", ISTIO_VERSION, "istio.io/istio", "manifests/charts/gateway", _istio),
    Chart(
        "quay.io/jetstack/charts/cert-manager",
        CERT_MANAGER_VERSION,
        "github.com/cert-manager/cert-manager",
        "deploy/charts/cert-manager",
        _cert_manager,
    ),
    Chart(f"{_KSERVE}/kserve-crd", KSERVE_VERSION, "github.com/kserve/kserve", "charts/kserve-crd"),
    Chart(f"{_KSERVE}/kserve-resources", KSERVE_VERSION, "github.com/kserve/kserve", "charts/kserve-resources"),
)


def publish(chart: Chart, sources: Path, helm: Path, store: Store) -> str:
    """Package the chart at ``sources`` with ``helm`` and publish it; returns the artifact's digest."""
    archive = packaged(chart, sources, helm)
    about = _metadata(archive)
    config = store.add(json.dumps(about, separators=(",", ":")).encode(), CHART_CONFIG)
    layer = store.add(archive, CHART_LAYER)
    manifest = store.add(_manifest(config, layer, about), MANIFEST)
    store.publish(chart.repository, chart.version, manifest, [config, layer], [])
    return manifest.digest


def packaged(chart: Chart, sources: Path, helm: Path) -> bytes:
    """The archive (.tgz) of the chart at ``sources``; packaging twice gives the same bytes."""
    with tempfile.TemporaryDirectory() as scratch:
        return _normal(_package(chart, sources, helm, Path(scratch)))


def _package(chart: Chart, sources: Path, helm: Path, scratch: Path) -> Path:
    directory = scratch / chart.repository.rpartition("/")[2]
    shutil.copytree(sources, directory)
    for path in [directory, *directory.rglob("*")]:  # the module cache is read-only
        path.chmod(0o755 if path.is_dir() else 0o644)
    chart.prepare(directory, chart.version)
    command = [str(helm), "package", str(directory), "--destination", str(scratch)]
    command += ["--version", chart.version, "--app-version", chart.version]
    done = subprocess.run(command, capture_output=True, text=True)
    archives = list(scratch.glob("*.tgz"))
    if done.returncode or len(archives) != 1:
        raise ToolMissing("helm package", done.stderr.strip()[-500:], "Look at its message.")
    return archives[0]


def _normal(archive: Path) -> bytes:
    """The archive without times and owners, sorted: packaging twice gives one digest."""
    out = io.BytesIO()
    with (
        tarfile.open(archive) as packaged,
        gzip.GzipFile("", "wb", fileobj=out, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w") as tar,
    ):
        for member in sorted(packaged.getmembers(), key=lambda m: (not m.name.endswith("/Chart.yaml"), m.name)):
            plain = tarfile.TarInfo(member.name)
            plain.mode, plain.size = 0o644, member.size
            tar.addfile(plain, packaged.extractfile(member))
    return out.getvalue()


def _metadata(archive: bytes) -> dict[str, Any]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        first = tar.next()
        content = tar.extractfile(first) if first else None
        assert content is not None  # helm package wrote a Chart.yaml, and _normal put it first
        about: dict[str, Any] = yaml.safe_load(content)
        return about


def _manifest(config: Blob, layer: Blob, about: dict[str, Any]) -> bytes:
    annotations = {
        "org.opencontainers.image.title": about["name"],
        "org.opencontainers.image.version": about["version"],
        "org.opencontainers.image.description": about["description"],
    }
    document = {
        "schemaVersion": 2,
        "config": config.descriptor(),
        "layers": [layer.descriptor()],
        "annotations": annotations,
    }
    return json.dumps(document, separators=(",", ":")).encode()
