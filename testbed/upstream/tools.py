"""What projects publish for operators' machines, from the programs that were built here: archives and plain programs.

Pulumi's language host and its Kubernetes plugin, which no package registry carries, are this testbed's stand-ins. Their
archives hold launchers, which run in the virtual environment that a bundle's ``bootstrap`` makes beside them.
"""

from __future__ import annotations

import gzip
import io
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Binary = Callable[[str], Path]
"""From the name of a built program to its file."""

# $0 is where the engine found it: PREFIX/bin, or PREFIX/pulumi/plugins/<plugin>.
_LAUNCHER = '#!/bin/sh\nexec "$(dirname "$0")/{up}/venv/bin/python" -u -P -m {module} "$@"\n'


@dataclass(frozen=True)
class Archive:
    """A tar archive: member -> the name of a built program, or the text of a launcher."""

    url: str
    """Without scheme."""
    programs: dict[str, str]
    launchers: dict[str, str]

    def write(self, binary: Binary, target: Path) -> None:
        """Write it to ``target``; equal programs make an equal file."""
        with (
            target.open("wb") as f,
            gzip.GzipFile("", "wb", compresslevel=1, fileobj=f, mtime=0) as compressed,
            tarfile.open(fileobj=compressed, mode="w") as tar,
        ):
            for member, name in self.programs.items():
                with binary(name).open("rb") as program:
                    tar.addfile(_header(member, binary(name).stat().st_size), program)
            for member, text in self.launchers.items():
                tar.addfile(_header(member, len(text)), io.BytesIO(text.encode()))


@dataclass(frozen=True)
class Plain:
    """A program as it is."""

    url: str
    program: str

    @property
    def programs(self) -> dict[str, str]:
        """As an archive's."""
        return {"": self.program}

    def write(self, binary: Binary, target: Path) -> None:
        """Copy it to ``target``."""
        shutil.copyfile(binary(self.program), target)


TOOLS: tuple[Archive | Plain, ...] = (
    Archive("get.helm.sh/helm-v3.19.0-linux-amd64.tar.gz", {"linux-amd64/helm": "helm"}, {}),
    Plain("dl.k8s.io/release/v1.34.4/bin/linux/amd64/kubectl", "kubectl"),
    Archive(
        "get.pulumi.com/releases/sdk/pulumi-v3.259.0-linux-x64.tar.gz",
        {"pulumi/pulumi": "pulumi"},
        {
            f"pulumi/pulumi-language-python{end}": _LAUNCHER.format(up="..", module=module)
            for end, module in (("", "testbed.pulumi.language"), ("-exec", "testbed.pulumi.language.program"))
        },
    ),
    Archive(
        "github.com/pulumi/pulumi-kubernetes/releases/download/v4.34.2/"
        "pulumi-resource-kubernetes-v4.34.2-linux-amd64.tar.gz",
        {},
        {"pulumi-resource-kubernetes": _LAUNCHER.format(up="../../..", module="testbed.pulumi.provider")},
    ),
)


def _header(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.mode, entry.size = 0o755, size
    return entry
