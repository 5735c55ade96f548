"""containerd's hosts.toml."""

from __future__ import annotations

import tomllib
from pathlib import Path, PurePosixPath

from mirror import nodeconfig
from mirror.receipt import Receipt, ReceivedImage, ReceivedModel

DIGEST = "sha256:" + "0" * 64


def receipt(registry: str) -> Receipt:
    names = ["docker.io/org/app:1", "quay.io/org/app:1", "docker.io/org/other:1", "corp.test:5000/app:1"]
    return Receipt(
        registry=registry,
        bundle="b",
        kubernetes="1.34",
        images=[ReceivedImage(reference=n, digest=DIGEST, mirrored="x", size=1) for n in names],
        models=[
            ReceivedModel(name=o, origin=o, revision="r", licence="l", digest=DIGEST, mirrored="x", size=1)
            for o in ("hub.test/a/b", "directory/c")
        ],
        parts=[],
        runtimes=[],
        exclusions=[],
    )


def test_every_upstream_registry_and_the_internal_one_lead_inside_and_nowhere_else() -> None:
    files = nodeconfig.containerd(receipt("10.0.0.1:5000/sealift"), PurePosixPath("/etc/ca.pem"))
    assert sorted(files) == [
        f"{d}/hosts.toml" for d in ("10.0.0.1_5000_", "corp.test_5000_", "docker.io", "hub.test", "quay.io")
    ]
    for text in files.values():
        hosts = tomllib.loads(text)
        assert list(hosts["host"]) == [hosts["server"]]
        assert hosts["server"].startswith("https://10.0.0.1:5000/v2")
        assert hosts["host"][hosts["server"]] == {
            "capabilities": ["pull", "resolve"],
            "override_path": True,
            "ca": "/etc/ca.pem",
        }


def test_the_path_is_the_one_that_names_are_mirrored_to() -> None:
    files = nodeconfig.containerd(receipt("registry.site/a/b"), None)
    assert tomllib.loads(files["quay.io/hosts.toml"])["server"] == "https://registry.site/v2/a/b/quay.io"
    assert tomllib.loads(files["corp.test_5000_/hosts.toml"])["server"] == "https://registry.site/v2/a/b/corp.test_5000"
    assert tomllib.loads(files["registry.site/hosts.toml"])["server"] == "https://registry.site/v2"
    assert "ca =" not in files["quay.io/hosts.toml"]


def test_the_files_are_written_below_the_output(tmp_path: Path) -> None:
    assert nodeconfig.write({"quay.io/hosts.toml": "x"}, tmp_path) == [tmp_path / "quay.io/hosts.toml"]
    assert (tmp_path / "quay.io/hosts.toml").read_text() == "x"
