"""Charts, packaged by a program that behaves as helm package does."""

import gzip
import io
import json
import tarfile
from pathlib import Path

import yaml

from testbed.upstream import charts
from testbed.upstream.charts import Chart
from testbed.upstream.store import Store

HELM = """#!/usr/bin/env python3
import pathlib, sys, tarfile, time
directory, destination = pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[4])
version = sys.argv[sys.argv.index("--version") + 1]
file = directory / "Chart.yaml"
file.write_text(file.read_text().replace("1.0.0", version))
with tarfile.open(destination / f"{directory.name}-{version}.tgz", "w:gz") as tar:
    for path in sorted(directory.rglob("*"), reverse=True):
        if path.is_file():
            tar.add(path, f"{directory.name}/{path.relative_to(directory)}")
"""
CHART = "name: base\nversion: 1.0.0\nappVersion: 1.0.0\ndescription: of a test\n"


def published(tmp_path: Path, chart: Chart) -> tuple[Store, str]:
    sources, helm = tmp_path / "sources", tmp_path / "helm"
    (sources / "templates").mkdir(parents=True, exist_ok=True)
    (sources / "Chart.yaml").write_text(CHART)
    (sources / "templates" / "a.yaml").write_text("a: {}\n")
    (sources / "values.yaml").write_text("hub: registry.istio.io/testing\ntag: latest\n")
    (sources / "Chart.yaml").chmod(0o444)  # as in the module cache
    helm.write_text(HELM)
    helm.chmod(0o755)
    store = Store(tmp_path / "store")
    return store, charts.publish(chart, sources, helm, store)


def istio() -> Chart:
    return next(c for c in charts.CHARTS if c.repository.endswith("charts/base"))


def test_a_chart_becomes_an_artifact_as_helm_pushes_it(tmp_path: Path) -> None:
    store, digest = published(tmp_path, istio())
    assert store.resolve("ghcr.io/istio/release/charts/base", "1.31.0") == digest
    manifest = json.loads(store.read(digest))
    assert manifest["config"]["mediaType"] == charts.CHART_CONFIG
    assert [layer["mediaType"] for layer in manifest["layers"]] == [charts.CHART_LAYER]
    assert json.loads(store.read(manifest["config"]["digest"]))["version"] == "1.31.0"


def test_istios_charts_name_the_release_as_the_release_tool_makes_them(tmp_path: Path) -> None:
    store, digest = published(tmp_path, istio())
    layer = json.loads(store.read(digest))["layers"][0]["digest"]
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(store.read(layer)))) as tar:
        assert tar.getnames()[0] == "base/Chart.yaml"
        values = tar.extractfile("base/values.yaml")
        assert values is not None
        assert yaml.safe_load(values) == {"hub": "docker.io/istio", "tag": "1.31.0"}


def test_packaging_twice_gives_one_digest(tmp_path: Path) -> None:
    digests = {published(tmp_path / turn, istio())[1] for turn in ("one", "two")}
    assert len(digests) == 1


def test_charts_are_published_under_the_names_that_the_catalog_has() -> None:
    catalog = yaml.safe_load((Path(__file__).parents[3] / "catalog" / "platform.yaml").read_text())
    wanted = {
        f"{p['source']['oci']}:{p['source']['version']}" for p in catalog["parts"] if p["source"]["kind"] == "chart"
    }
    assert wanted <= {c.name for c in charts.CHARTS}
