"""The real helm renders a chart."""

import io
import os
import shutil
import tarfile
from pathlib import Path

import pytest

from mirror import discover, render
from mirror.errors import BadInput, ToolMissing
from testbed.toolchain.cache import cache_directory

FILES = {
    "Chart.yaml": "apiVersion: v2\nname: demo\nversion: 1.0.0\nkubeVersion: '>= 1.30.0-0'\n",
    "values.yaml": "image: quay.io/a/b\ntag: '1'\nhook: false\n",
    "crds/x.yaml": "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: x}\n",
    "templates/pod.yaml": (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: '{{ .Release.Name }}', namespace: '{{ .Release.Namespace }}'}\n"
        "spec:\n  containers: [{name: c, image: '{{ .Values.image }}:{{ .Values.tag }}'}]\n"
    ),
    "templates/hook.yaml": (
        "{{ if .Values.hook }}\napiVersion: v1\nkind: Pod\nmetadata:\n  name: hook\n"
        "  annotations: {helm.sh/hook: pre-install}\n{{ end }}\n"
    ),
    "templates/tests/test.yaml": (
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: test\n  annotations: {helm.sh/hook: test}\n"
    ),
}


@pytest.fixture(autouse=True)
def helm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{cache_directory() / 'bin'}{os.pathsep}{os.environ['PATH']}")
    assert shutil.which("helm"), "run sealift tools first"


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    archive = tmp_path / "demo-1.0.0.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        for name, text in FILES.items():
            entry = tarfile.TarInfo(f"demo/{name}")
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    return archive


def test_a_chart_becomes_manifests_with_its_crds_and_without_its_tests(chart: Path) -> None:
    documents = render.chart(chart, release="r", namespace="n", values={"tag": "2"}, kubernetes="1.34")
    assert [render.title(d) for d in documents] == ["CustomResourceDefinition/x", "Pod/r"]
    assert documents[1]["metadata"]["namespace"] == "n"
    assert [s.text for s in discover.find(documents[1])] == ["quay.io/a/b:2"]


def test_a_hook_that_a_value_switches_on_is_refused(chart: Path) -> None:
    with pytest.raises(BadInput, match="pre-install"):
        render.chart(chart, release="r", namespace="n", values={"hook": True}, kubernetes="1.34")


def test_a_chart_that_refuses_the_kubernetes_version_says_why(chart: Path) -> None:
    with pytest.raises(ToolMissing, match=r"1\.30\.0-0"):
        render.chart(chart, release="r", namespace="n", values={}, kubernetes="1.20")
