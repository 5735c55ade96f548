"""The bill of materials: whole, valid, and the same each time."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from mirror import sbom
from mirror.lock import (
    Lock,
    LockedChart,
    LockedEvidence,
    LockedException,
    LockedFile,
    LockedImage,
    LockedImages,
    LockedManifest,
    LockedModel,
    LockedPart,
    LockedRuntime,
)

ONE, TWO = "sha256:" + "1" * 64, "sha256:" + "2" * 64


def lock() -> Lock:
    file = LockedFile(name="x.yaml", sha256="3" * 64, size=7)
    part: dict[str, Any] = {"namespace": None, "licence": "Apache-2.0"}
    chart = LockedChart(reference="quay.io/org/chart:1.2", digest=ONE, release="r", values={})
    evidence = LockedEvidence(
        kind="sbom",
        subject=ONE,
        reference=f"quay.io/org/app:{ONE.replace(':', '-')}.sbom",
        digest=TWO,
        media_type="application/vnd.oci.image.manifest.v1+json",
        artifact_type="text/spdx+json",
        size=9,
    )
    image: dict[str, Any] = {"upstream_digest": TWO, "media_type": "m", "platforms": ["linux/amd64"], "size": 5}
    return Lock(
        kubernetes="1.34",
        platforms=["linux/amd64"],
        parts=[
            LockedPart(name="chart", content=chart, images=["quay.io/org/app:1"], **part),
            LockedPart(name="yaml", content=LockedManifest(urls=["https://h/x.yaml"], files=[file]), images=[], **part),
            LockedPart(name="node", content=LockedImages(images=["quay.io/org/app:1"]), images=[], **part),
        ],
        images=[
            LockedImage(
                reference="quay.io/org/app:1", digest=ONE, licence="MIT AND LicenseRef-X", found=["a: b"],
                evidence=[evidence], **image,
            ),
            LockedImage(reference="docker.io/library/b", digest=TWO, licence="MIT OR GPL-3.0-only", found=[], **image),
        ],
        models=[
            LockedModel(name="m", origin="huggingface.co/Org/M", revision="c" * 40, licence="MIT", files=[file]),
            LockedModel(name="o", source="oci", origin="quay.io/a/o", revision="e" * 64, licence="MIT", files=[file]),
            LockedModel(
                name="d", source="directory", origin="directory/d", revision="d" * 64, licence="MIT", files=[file]
            ),
        ],
        runtimes=[LockedRuntime(name="r", engine="vllm", accelerator="cpu", image="docker.io/library/b")],
        exclusions=[],
        licence_exceptions=[
            LockedException(component="part x", licence="X", reason="r", approved_by="me", expires=date(2027, 1, 1))
        ],
    )  # fmt: skip


def test_it_is_valid_cyclonedx_1_6() -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(sbom.text(lock(), "ab")) is None


def test_the_validator_would_notice() -> None:
    wrong = sbom.text(lock(), "ab").replace('"type": "container"', '"type": "box"')
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(wrong) is not None


def test_everything_in_the_lock_is_in_it_with_digest_and_licence() -> None:
    found = {c["bom-ref"]: c for c in json.loads(sbom.text(lock(), "ab"))["components"]}
    assert sorted(found) == [
        "image:docker.io/library/b", "image:quay.io/org/app:1", "model:d", "model:m", "model:o",
        "part:chart", "part:node", "part:yaml",
    ]  # fmt: skip
    image = found["image:quay.io/org/app:1"]
    assert image["hashes"] == [{"alg": "SHA-256", "content": "1" * 64}]
    assert image["licenses"] == [{"expression": "MIT AND LicenseRef-X"}]
    assert image["purl"] == f"pkg:oci/app@sha256:{'1' * 64}?repository_url=quay.io/org/app&tag=1"
    assert found["part:chart"]["hashes"][0]["content"] == "1" * 64
    assert found["part:yaml"]["components"][0]["hashes"][0]["content"] == "3" * 64
    assert found["model:m"]["type"] == "machine-learning-model"
    assert found["model:m"]["purl"] == f"pkg:huggingface/Org/M@{'c' * 40}"
    assert found["model:o"]["purl"].startswith(f"pkg:oci/o@sha256:{'e' * 64}?repository_url=quay.io/a/o")
    assert found["model:m"]["components"][0]["name"] == "x.yaml"


def test_upstreams_own_sbom_is_linked_by_digest() -> None:
    found = {c["bom-ref"]: c for c in json.loads(sbom.text(lock(), "ab"))["components"]}
    (link,) = [r for r in found["image:quay.io/org/app:1"]["externalReferences"] if r["type"] == "bom"]
    assert link["url"] == f"https://quay.io/v2/org/app/manifests/{TWO}"
    assert link["hashes"][0]["content"] == "2" * 64
    assert ONE in link["comment"]


def test_the_bundle_depends_on_its_parts_and_they_on_their_images() -> None:
    found = {d["ref"]: d.get("dependsOn", []) for d in json.loads(sbom.text(lock(), "ab"))["dependencies"]}
    assert found["bundle"] == [
        "image:docker.io/library/b", "model:d", "model:m", "model:o", "part:chart", "part:node", "part:yaml",
    ]  # fmt: skip
    assert found["part:chart"] == ["image:quay.io/org/app:1"]


def test_equal_locks_give_equal_bytes_and_another_lock_another_serial_number() -> None:
    assert sbom.text(lock(), "ab") == sbom.text(lock(), "ab")
    serial = [json.loads(sbom.text(lock(), s))["serialNumber"] for s in ("ab", "cd")]
    assert serial[0] != serial[1]
    assert "timestamp" not in sbom.text(lock(), "ab")


@pytest.mark.slow
def test_another_process_writes_the_same_bytes(tmp_path: Path) -> None:
    lock().write(tmp_path / "sealift.lock")
    code = (
        "import sys; from pathlib import Path; from mirror import sbom, lock; "
        "print(sbom.text(lock.Lock.read(Path(sys.argv[1])), 'ab'), end='')"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "sealift.lock")]
    seeds = ("1", "2")
    made = {
        subprocess.run(command, check=True, capture_output=True, text=True, env={"PYTHONHASHSEED": s}).stdout
        for s in seeds
    }
    assert made == {sbom.text(lock(), "ab")}
