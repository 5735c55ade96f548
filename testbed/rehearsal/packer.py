"""The packer's side: outside the gap, with upstream at hand, through the commands that packers have."""

from __future__ import annotations

import filecmp
import importlib.metadata
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from secrets import token_hex

from mirror.layout import LOCK
from testbed.toolchain import wheel

from .command import follow
from .operator import ROOT
from .timeline import Timeline


@dataclass(frozen=True)
class Packer:
    """Makes lock and bundle in ``work``. ``source_map`` is None when upstream is the public one."""

    work: Path
    programs: Path
    source_map: Path | None
    timeline: Timeline

    @property
    def lock(self) -> Path:
        """The lock that is made."""
        return self.work / "outside" / "sealift.lock"

    @property
    def bundle(self) -> Path:
        """The bundle that is made."""
        return self.work / "outside" / "bundle"

    @property
    def root(self) -> Path:
        """The root of trust, which the operator pins."""
        return self.work / "outside" / "roots" / "1.root.json"

    @cached_property
    def wheel(self) -> Path:
        """The project's own wheel, built from the sources as they are."""
        return wheel.build(self.work / "outside" / "wheel")

    def make_lock(self) -> None:
        """``sealift lock``."""
        given: list[str | Path] = ["--catalog", ROOT / "catalog", "--wheel", self.wheel, *self._mapped()]
        self._sealift("lock", *given, "--output", self.lock)

    def make_bundle(self) -> None:
        """``sealift bundle create``; a bundle of an earlier lock is removed first."""
        if self.bundle.exists() and not filecmp.cmp(self.lock, self.bundle / LOCK, shallow=False):
            shutil.rmtree(self.bundle)
        given: list[str | Path] = ["--lock", self.lock, "--wheel", self.wheel, *self._mapped()]
        self._sealift("bundle", "create", *given, "--output", self.bundle)
        size = sum(f.stat().st_size for f in self.bundle.rglob("*") if f.is_file())
        self.timeline.fact("bundle GB", round(size / 1e9, 2))

    def sign(self) -> None:
        """Keys, a root of trust and the bundle's signatures, new each time."""
        secret, keys, roots = (self.work / "outside" / n for n in ("passphrase", "keys", "roots"))
        shutil.rmtree(keys, ignore_errors=True)
        shutil.rmtree(roots, ignore_errors=True)
        secret.write_text(token_hex(16))
        opened: list[str | Path] = ["--passphrase-file", secret]
        for name, algorithm in (("root", "ecdsa-p256"), ("release", "ed25519")):
            self._sealift("key", "create", keys / f"{name}.pem", "--algorithm", algorithm, *opened)
        powers: list[str | Path] = ["--root-key", keys / "root.pem", "--release-key", keys / "release.pem.pub"]
        self._sealift("key", "root", "--output", roots, *powers, *opened)
        self._sealift("bundle", "sign", self.bundle, "--roots", roots, "--key", keys / "release.pem", *opened)

    def carry(self, inside: Path) -> Path:
        """Bring the bundle across the gap: its files, nothing else. Hard links, as both sides are on one disk."""
        shutil.copytree(self.bundle, inside, copy_function=os.link)
        return inside

    def fetch_provider(self, home: Path) -> None:
        """``pulumi plugin install``: the official Kubernetes provider, into the Pulumi home that crosses the gap."""
        version = importlib.metadata.version("pulumi-kubernetes")
        self._run(["pulumi", "plugin", "install", "resource", "kubernetes", version], "plugin", PULUMI_HOME=str(home))

    def _mapped(self) -> list[str | Path]:
        return ["--source-map", self.source_map] if self.source_map else []

    def _sealift(self, *arguments: str | Path) -> None:
        self._run([Path(sys.executable).with_name("sealift"), *arguments], str(arguments[0]))

    def _run(self, command: list[str | Path], log: str, **variables: str) -> None:
        environment = {**os.environ, "PATH": f"{self.programs}:{os.environ['PATH']}", **variables}
        words = [str(c) for c in command]
        process = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        follow(process, self.timeline, self.work / "logs" / f"packer-{log}.log")
