"""What two bundles differ by, their charts rendered by the real helm."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec import structs

from mirror import bundle_diff, cli
from mirror.bundle_create import create
from mirror.layout import OCI_MANIFEST, Descriptor, digest, encode
from mirror.lock import Lock, LockedChart, LockedFile, LockedManifest, LockedPart
from mirror.progress import Silent
from mirror.registry import CHART_LAYER, Upstream
from mirror.source_map import SourceMap
from testbed.toolchain.cache import cache_directory

from ..distribution.fake import FakeRegistry, serving
from ..test_transport import Upside, blob, client

if TYPE_CHECKING:
    from conftest import Hub

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def helm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{cache_directory() / 'bin'}{os.pathsep}{os.environ['PATH']}")
    assert shutil.which("helm"), "run sealift tools first"


def crd(kind: str, *versions: str, field: str = "a") -> str:
    """A CRD of ``kind`` in the group site.test."""
    listed = "".join(
        f"  - name: {v}\n    served: true\n    storage: {str(v == versions[-1]).lower()}\n"
        f"    schema: {{openAPIV3Schema: {{type: object, properties: {{{field}: {{type: string}}}}}}}}\n"
        for v in versions
    )
    return (
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n"
        f"metadata: {{name: {kind}s.site.test}}\nspec:\n  group: site.test\n  scope: Namespaced\n"
        f"  names: {{kind: {kind.title()}, plural: {kind}s}}\n  versions:\n{listed}"
    )


def chart(fake: FakeRegistry, version: str, crds: dict[str, str], templates: dict[str, str]) -> LockedChart:
    files = {"Chart.yaml": f"apiVersion: v2\nname: demo\nversion: {version}\n"}
    files |= {f"crds/{n}": t for n, t in crds.items()} | {f"templates/{n}": t for n, t in templates.items()}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"demo/{name}")
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    archive, config = buffer.getvalue(), encode({"name": "demo"})
    config_type = "application/vnd.cncf.helm.config.v1+json"
    layers = [Descriptor.of(CHART_LAYER, archive).json()]
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST}
    manifest = encode({**document, "config": Descriptor.of(config_type, config).json(), "layers": layers})
    for content in (archive, config):
        fake.put_blob("charts/demo", content)
    fake.manifests.setdefault("charts/demo", {})[digest(manifest)] = manifest
    reference = f"up.test/charts/demo:{version}"
    return LockedChart(reference=reference, digest=digest(manifest), release="demo", values={})


def release(hub: Hub, name: str, text: str) -> LockedManifest:
    hub.files[name] = text.encode()
    file = LockedFile(name=name, sha256=hashlib.sha256(text.encode()).hexdigest(), size=len(text))
    return LockedManifest(urls=[f"https://github.test/files/{name}"], files=[file])


@pytest.fixture
def bundles(hub: Hub, tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """Two bundles with a chart and release YAML, both with CRDs, and images, licences and a model."""
    with serving() as fake:
        up = Upside(fake, tmp_path)

        def made(name: str, parts: list[LockedChart | LockedManifest], licences: dict[str, str]) -> Path:
            lock = Lock.read(up.lock(f"{name}.lock"))
            images = [structs.replace(i, licence=licences.get(i.reference, "MIT")) for i in lock.images]
            locked = [
                LockedPart(name=n, namespace="demo", licence="MIT", content=content, images=[])
                for n, content in zip(("demo", "yaml"), parts, strict=True)
            ]
            file = tmp_path / f"{name}.lock"
            structs.replace(lock, images=images, parts=locked).write(file)
            mapped = SourceMap(hosts={"up.test": f"http://{fake.host}", "github.test": hub.url})
            order = up.order(name, file)
            create(type(order)(file, order.output, Upstream(mapped, client()), mapped, order.directories), Silent())
            return tmp_path / name

        up.images = {"up.test/org/stays:1": [blob("s", 10)], "up.test/org/goes:1": [blob("g", 20_000)]}
        up.images |= {"up.test/org/two:1": [blob("t1", 10)], "up.test/org/two:2": [blob("t2", 10)]}
        up.model = {"w.safetensors": b"1"}
        old = [
            chart(fake, "1.0.0", {"a.yaml": crd("alpha", "v1")}, {"b.yaml": crd("beta", "v1")}),
            release(hub, "old.yaml", crd("gamma", "v1") + "---\n" + crd("same", "v1")),
        ]
        first = made("old", list(old), {"up.test/org/stays:1": "MIT"})
        up.images.pop("up.test/org/goes:1")
        up.images["up.test/org/stays:1"] = [blob("s", 10), blob("more", 4000)]
        up.images["up.test/org/comes:3"] = [blob("c", 30_000)]
        up.model = {"w.safetensors": b"22"}
        new = [
            chart(fake, "1.1.0", {"a.yaml": crd("alpha", "v1", "v2")}, {"d.yaml": crd("delta", "v1")}),
            release(hub, "new.yaml", crd("gamma", "v1", field="b") + "---\n" + crd("same", "v1")),
        ]
        yield first, made("new", list(new), {"up.test/org/stays:1": "Apache-2.0"})


def said(old: Path, new: Path) -> dict[tuple[str, str], tuple[str | None, str | None]]:
    return {(c.kind, c.name): (c.old, c.new) for c in bundle_diff.between(old, new).changes}


def test_everything_that_comes_goes_or_changes_is_said_and_nothing_else(bundles: tuple[Path, Path]) -> None:
    found = said(*bundles)
    assert found.keys() == {
        ("crd", "alphas.site.test"),
        ("crd", "betas.site.test"),
        ("crd", "deltas.site.test"),
        ("crd", "gammas.site.test"),
        ("image", "up.test/org/comes"),
        ("image", "up.test/org/goes"),
        ("image", "up.test/org/stays"),
        ("licence", "image up.test/org/stays"),
        ("model", "own"),
        ("part", "demo"),
        ("part", "yaml"),
        ("size", "up.test/org/stays"),
    }
    versions = {n: [v and v.rpartition(" ")[0] for v in change] for (k, n), change in found.items() if k == "crd"}
    assert versions == {
        "alphas.site.test": ["v1", "v1, v2"],
        "betas.site.test": ["v1", None],
        "deltas.site.test": [None, "v1"],
        "gammas.site.test": ["v1", "v1"],
    }
    came, gone = found["image", "up.test/org/comes"][1], found["image", "up.test/org/goes"][0]
    assert came
    assert re.fullmatch(r"3 [0-9a-f]{12} \(30\.\d kB, MIT\)", came)
    assert gone
    assert re.fullmatch(r"1 [0-9a-f]{12} \(20\.\d kB, MIT\)", gone)
    assert found["licence", "image up.test/org/stays"] == ("MIT", "Apache-2.0")


def test_a_bundle_and_a_lock_are_compared_in_all_but_crds(
    bundles: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = bundles
    mixed = said(old, new / "sealift.lock")
    assert mixed == {k: v for k, v in said(old, new).items() if k[0] != "crd"}
    assert cli.run(cli.assemble("bundle"), ["bundle", "diff", str(old), str(new / "sealift.lock")]) == 0
    assert "CRDs are not compared: give two bundles" in capsys.readouterr().out
    assert cli.run(cli.assemble("bundle"), ["bundle", "diff", str(old), str(new)]) == 0
    printed = capsys.readouterr().out
    assert "\n~ crd      alphas.site.test  v1 " in printed
    assert "\n+ image    up.test/org/comes  3 " in printed


def test_a_bundle_does_not_differ_from_itself(bundles: tuple[Path, Path]) -> None:
    assert said(bundles[0], bundles[0]) == {}
