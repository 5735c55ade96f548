"""The real scanners, on a few objects: they run without a network, read everything, and find what is wrong."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from mirror import render
from mirror.errors import ChecksFailed
from testbed.scan import schemas
from testbed.scan.checkov import Checkov
from testbed.scan.kics import Kics
from testbed.scan.kubeconform import Kubeconform
from testbed.scan.record import Record
from testbed.scan.run import run, tell
from testbed.scan.scanner import planted, scan
from testbed.scan.subjects import Subject
from testbed.toolchain import programs, scanners
from testbed.toolchain.cache import cache_directory

_OBJECTS = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: app, namespace: a}
automountServiceAccountToken: false
---
apiVersion: v1
kind: ConfigMap
metadata: {name: template, namespace: a}
data: {template: "image: {{ .Values.global.proxy.image }}"}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: all, namespace: a}
spec: {podSelector: {}, policyTypes: [Ingress, Egress]}
---
apiVersion: v1
kind: Pod
metadata: {name: app, namespace: a, labels: {app: app}}
spec:
  serviceAccountName: app
  automountServiceAccountToken: false
  securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}
  containers:
    - name: app
      image: registry.site/app@sha256:1111111111111111111111111111111111111111111111111111111111111111
      imagePullPolicy: Always
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
      resources: {requests: {cpu: 10m, memory: 1Mi}, limits: {cpu: 1, memory: 1Gi}}
      livenessProbe: {httpGet: {port: 80}}
      readinessProbe: {httpGet: {port: 80}}
"""

# What KICS asks of a pod whatever the pod itself says.
_ASKED_OF_ALL = {
    "Ensure Administrative Boundaries Between Resources": "serviceaccount/a/app",
    "Missing AppArmor Profile": "pod/a/app",
    "Pod or Container Without LimitRange": "pod/a/app",
    "Pod or Container Without ResourceQuota": "pod/a/app",
}


@pytest.fixture(scope="module", autouse=True)
def made() -> None:
    cache = cache_directory()
    scanners.ensure(cache, print)
    os.environ["PATH"] = f"{programs.ensure(cache, print)}{os.pathsep}{os.environ['PATH']}"


@pytest.fixture(scope="module")
def openapi() -> dict[str, Any]:
    """What the API server answers at /openapi/v2, from the sources that it is built from."""
    where = ["go", "list", "-m", "-f", "{{.Dir}}", "k8s.io/kubernetes"]
    found = subprocess.run(
        where, cwd=programs.HERE / "gomods" / "kubernetes", capture_output=True, text=True, check=True
    )
    text = (Path(found.stdout.strip()) / "api" / "openapi-spec" / "swagger.json").read_text()
    return json.loads(text)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def objects() -> list[dict[str, Any]]:
    return render.parse([("objects", _OBJECTS)])


@pytest.fixture(params=["checkov", "kics", "kubeconform"])
def real(request: pytest.FixtureRequest, openapi: dict[str, Any], tmp_path: Path) -> Checkov | Kics | Kubeconform:
    cache = cache_directory()
    if request.param == "checkov":
        return Checkov(scanners.checkov(cache))
    if request.param == "kics":
        return Kics(scanners.queries(cache))
    schemas.write(openapi, [d for d in planted() if d["kind"] == "CustomResourceDefinition"], tmp_path)
    return Kubeconform(tmp_path)


def test_every_object_is_read_and_a_good_pod_has_no_grave_finding(
    real: Checkov | Kics | Kubeconform, objects: list[dict[str, Any]]
) -> None:
    found = scan(Subject("good", tuple(objects)), real)
    assert found.objects == len(objects)
    assert found.version[0].isdigit()
    assert {f.rule for f in found.findings} <= set(_ASKED_OF_ALL)


def test_a_bad_pod_is_found(real: Checkov | Kics | Kubeconform, objects: list[dict[str, Any]]) -> None:
    pod = next(d for d in objects if d["kind"] == "Pod")
    bad = {**pod, "spec": {**pod["spec"], "hostNetwork": True, "hostNetwrk": True}}
    found = scan(Subject("bad", (*(d for d in objects if d is not pod), bad)), real)
    assert [f.object for f in found.findings if "ost" in f.title + f.message and f.object == "pod/a/app"]


def test_a_scan_without_any_way_out_says_the_same(
    real: Checkov | Kics | Kubeconform, objects: list[dict[str, Any]], tmp_path: Path
) -> None:
    subject = Subject("offline", tuple(objects))
    program = shutil.which(real.program)
    assert program
    (tmp_path / "bin").mkdir()
    (tmp_path / "lib").symlink_to(Path(program).parents[1] / "lib")  # where checkov's version is read
    cut_off = tmp_path / "bin" / Path(program).name
    cut_off.write_text(f'#!/bin/sh\nexec unshare --net {program} "$@"\n')
    cut_off.chmod(0o755)
    assert scan(subject, dataclasses.replace(real, program=cut_off)).findings == scan(subject, real).findings


def test_a_scanner_that_is_given_the_wrong_rules_is_blind(objects: list[dict[str, Any]], tmp_path: Path) -> None:
    query = scanners.queries(cache_directory()) / "rbac_wildcard_in_rule"
    shutil.copytree(query, tmp_path / query.name)
    with pytest.raises(ChecksFailed, match="Container Is Privileged"):
        scan(Subject("few", tuple(objects)), Kics(tmp_path))


def test_the_whole_scan_passes_with_its_exceptions_and_fails_without(
    openapi: dict[str, Any], objects: list[dict[str, Any]], tmp_path: Path
) -> None:
    (tmp_path / "good.yaml").write_text(_OBJECTS)
    accepted = [
        {
            "rules": {"kics": [rule]},
            "objects": [thing],
            "reason": "asked of every pod, whatever it says",
            "until": str(datetime.now(UTC).date()),
        }
        for rule, thing in _ASKED_OF_ALL.items()
    ]
    for name, listed in (("all", accepted), ("none", [])):
        (tmp_path / f"{name}.json").write_text(json.dumps({"version": 1, "exceptions": listed}))

    def scanned(name: str) -> Record:
        return run([tmp_path / "good.yaml"], openapi, tmp_path / f"{name}.json", partial=False, say=print)

    assert scanned("all").verdict == "passed"
    failed = scanned("none")
    assert {f.rule for f in failed.open} == set(_ASKED_OF_ALL)
    with pytest.raises(ChecksFailed, match="4 open findings"):
        tell(failed, Console(quiet=True))
