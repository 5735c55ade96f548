"""A package index and a web server with a small machine's content, and bundles of it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mirror import resolve
from mirror.bootstrap.target import MACHINES
from mirror.bundle import Bundle
from mirror.bundle_create import Order, create
from mirror.catalog import Catalog
from mirror.lock import Lock
from mirror.progress import Silent
from mirror.registry import Upstream
from mirror.source_map import SourceMap

if TYPE_CHECKING:
    from tests.mirror.conftest import Hub

PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
PLATFORM = next(p for p, machine in MACHINES.items() if machine == os.uname().machine)

# Installs as pip does, as far as a machine's set-up asks it to: what --find-links has, if the hash is the required one.
PIP = """
import hashlib, pathlib, re, sys, sysconfig, zipfile
given = sys.argv[1:]
for needed in ("install", "--no-index", "--no-deps", "--require-hashes", "--no-cache-dir"):
    assert needed in given, needed
links = pathlib.Path(given[given.index("--find-links") + 1])
for line in open(given[given.index("--requirement") + 1]):
    name, version, sha256 = re.fullmatch(r"(.+)==(.+) --hash=sha256:([0-9a-f]{64})\\n", line).groups()
    (wheel,) = links.glob(f"{name}-{version}-*.whl")
    assert hashlib.sha256(wheel.read_bytes()).hexdigest() == sha256
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(sysconfig.get_path("purelib"))
script = pathlib.Path(sysconfig.get_path("scripts"), "sealift")
script.write_text(f"#!/bin/sh\\n'''exec' '{sys.executable}' \\"$0\\" \\"$@\\"\\n' '''\\nimport sealift\\n")
script.chmod(0o755)
"""


def wheel(
    name: str, files: dict[str, str], *, version: str = "1.0", metadata: str = "License-Expression: MIT"
) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        about = f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n{metadata}\n"
        for path, text in {**files, f"{name}-{version}.dist-info/METADATA": about}.items():
            archive.writestr(zipfile.ZipInfo(path), text)
    return buffer.getvalue()


def archive(files: dict[str, str], *, mode: int = 0o755) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text), mode
            entry.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            tar.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass
class Machine:
    """What upstream has for a machine, and the catalog that names it."""

    hub: Hub
    directory: Path
    wheels: dict[str, bytes] = field(default_factory=dict)
    section: dict[str, Any] = field(default_factory=dict)
    exceptions: list[dict[str, Any]] = field(default_factory=list)

    def publish(self) -> None:
        """Put the wheels into the index, and pin them."""
        lines = []
        for filename, content in self.wheels.items():
            name, version = filename.split("-")[:2]
            url = f"https://files.test/files/{filename}"
            self.hub.files[filename] = content
            listed = {"files": [{"filename": filename, "url": url, "hashes": {"sha256": sha256(content)}, "size": 1}]}
            self.hub.files[f"simple/{name}/"] = json.dumps(listed).encode()
            lines.append(f"{name}=={version} \\\n    --hash=sha256:{sha256(content)}\n")
        (self.directory / "catalog" / "requirements.txt").write_text("# compiled\n" + "".join(lines))

    @property
    def source_map(self) -> SourceMap:
        return SourceMap(hosts=dict.fromkeys(("index.test", "files.test", "tools.test"), self.hub.url))

    @property
    def catalog(self) -> Catalog:
        section = json.dumps({"version": 1, "bootstrap": self.section})
        (self.directory / "catalog" / "bootstrap.yaml").write_text(section)
        rest = {"platforms": [PLATFORM], "kubernetes": "1.34", "licences": ["MIT", "Apache-2.0"]}
        rest |= {"version": 1, "licence_exceptions": self.exceptions}
        (self.directory / "catalog" / "platform.yaml").write_text(json.dumps(rest))
        return Catalog.load(self.directory / "catalog")

    @property
    def own(self) -> Path:
        return self.directory / "sealift-1.0-py3-none-any.whl"

    def lock(self) -> Lock:
        return resolve.lock(self.catalog, Upstream(self.source_map), self.source_map, Silent(), self.own)

    def bundle(self, name: str = "bundle", **more: Any) -> Bundle:  # noqa: ANN401 - fields of Order
        lock_file = self.directory / "sealift.lock"
        self.lock().write(lock_file)
        return create(self.order(name, **more), Silent())

    def order(self, name: str, **more: Any) -> Order:  # noqa: ANN401 - fields of Order
        given = {"wheel": self.own, **more}
        source = Upstream(self.source_map)
        return Order(self.directory / "sealift.lock", self.directory / name, source, self.source_map, **given)

    def bootstrap(self, bundle: Path, prefix: Path, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run the bundle's script with this Python and the system's programs alone on PATH."""
        path = self.directory / "bin"
        path.mkdir(exist_ok=True)
        if not (path / f"python{PYTHON}").exists():
            (path / f"python{PYTHON}").symlink_to(Path(sys._base_executable))
        environment = {"PATH": f"{path}:/usr/bin:/bin", "HOME": str(self.directory / "home"), **variables}
        command = ["sh", str(bundle / "bootstrap"), "--prefix", str(prefix)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


@pytest.fixture
def machine(hub: Hub, tmp_path: Path) -> Machine:
    """Two wheels of an index, the project's own, a program, an archive of programs and a plugin."""
    made = Machine(hub, tmp_path)
    (tmp_path / "catalog").mkdir()
    made.wheels = {
        "pip-1.0-py3-none-any.whl": wheel("pip", {"pip/__main__.py": PIP}),
        "needed-1.0-py3-none-any.whl": wheel("needed", {"needed.py": "WORD = 'needed'\n"}, metadata="License: MIT"),
    }
    made.publish()
    made.own.write_bytes(wheel("sealift", {"sealift.py": "import needed\nprint('sealift with', needed.WORD)\n"}))
    hub.files["demo.tar.gz"] = archive({"demo-1/": "", "demo-1/demo": "#!/bin/sh\necho demo\n", "demo-1/LICENSE": "x"})
    hub.files["plain"] = b"#!/bin/sh\necho plain\n"
    hub.files["plugin.tar.gz"] = archive({"pulumi-resource-demo": "#!/bin/sh\necho plugin\n"})
    tool = {"version": "1.2.3", "licence": "Apache-2.0", "reason": "It is part of a test."}
    made.section = {
        "project": "sealift",
        "requirements": "requirements.txt",
        "index": "https://index.test/files/simple",
        "pythons": [PYTHON],
        "tools": [
            {"name": "demo", "files": {PLATFORM: "https://tools.test/files/demo.tar.gz"}, "programs": ["demo"], **tool},
            {"name": "plain", "files": {PLATFORM: "https://tools.test/files/plain"}, "programs": ["plain"], **tool},
            {
                "name": "plug",
                "files": {PLATFORM: "https://tools.test/files/plugin.tar.gz"},
                "plugin": "resource-demo",
                **tool,
            },
        ],
    }
    return made
