"""The package index of upstream: wheels that the catalog's requirements pin, downloaded once and served as files."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

from mirror.atomic import write_atomically
from mirror.bootstrap import wheel
from mirror.bootstrap.declared import Bootstrap
from mirror.bootstrap.target import Target, targets
from mirror.errors import ToolMissing

INDEX_HOST, FILES_HOST = "pypi.org", "files.pythonhosted.org"
_FORMAT = 1
"""Part of the key: raise it when the index of the same requirements would come out differently."""


def key(said: Bootstrap) -> str:
    """A text that changes when other wheels would be served."""
    about = f"{_FORMAT} {said.pythons} {said.glibc} {hashlib.sha256(said.requirements.read_bytes()).hexdigest()}"
    return hashlib.sha256(about.encode()).hexdigest()[:16]


def publish(said: Bootstrap, web: Path) -> None:
    """Download the wheels into ``web`` with an index of them; nothing else of the two hosts stays there."""
    files = web / FILES_HOST / "packages" / key(said)
    for host in (INDEX_HOST, FILES_HOST):
        shutil.rmtree(web / host, ignore_errors=True)
    for target in targets(["linux/amd64"], said.pythons, said.glibc):
        _download(said.requirements, target, files)
    offered: dict[str, list[dict[str, object]]] = {}
    for file in sorted(files.iterdir()):
        name, _ = wheel.name_and_version(file.name)
        url = f"https://{FILES_HOST}/packages/{files.name}/{file.name}"
        hashes = {"sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
        offered.setdefault(name, []).append({"filename": file.name, "url": url, "hashes": hashes})
    for name, listed in offered.items():
        project = {"meta": {"api-version": "1.0"}, "name": name, "files": listed}
        write_atomically(web / INDEX_HOST / "simple" / name / "index.json", json.dumps(project))


def _download(requirements: Path, target: Target, into: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--require-hashes", "--only-binary=:all:", "--implementation", "cp", "--python-version", target.python]
    for abi in (f"cp{target.python.replace('.', '')}", "abi3", "none"):
        command += ["--abi", abi]
    for platform in dict.fromkeys(t.platform for t in target.tags()):
        command += ["--platform", platform]
    done = subprocess.run(
        [*command, "--dest", str(into), "--requirement", str(requirements)], capture_output=True, text=True
    )
    if done.returncode:
        raise ToolMissing("pip download", done.stderr.strip()[-2000:], "Look at its message.")
