"""Layers of Debian packages: the C library, Python and curl under the programs that are not static."""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from mirror.errors import ToolMissing

from .layers import Layer, Layers

SUITE = "bookworm"
# Licences stay; what nobody reads in an image goes.
_LEFT_OUT = (
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/man/*",
)


@dataclass(frozen=True)
class Packages:
    """A root file system of ``names`` and what they depend on.

    ``variant`` is mmdebstrap's: "extract" unpacks and runs no maintainer script, "minbase" makes a working system.
    """

    variant: str
    names: tuple[str, ...]

    @property
    def key(self) -> str:
        """The key of the layer. It does not follow Debian's updates: an emptied cache does."""
        return f"debian {SUITE} {self.variant} {' '.join(self.names)}"

    def layer(self, layers: Layers, scratch: Path) -> Layer:
        """The layer; Debian's archive is only asked when it is new. Raises ToolMissing when mmdebstrap fails."""
        found = layers.find(self.key)
        if found:
            return found
        with tempfile.TemporaryDirectory(dir=scratch) as directory:
            archive = Path(directory) / "root.tar"
            self._make(archive)
            return layers.convert(self.key, archive)

    def _make(self, archive: Path) -> None:
        options = [f"--variant={self.variant}", f"--include={','.join(self.names)}", "--quiet"]
        options += [f"--dpkgopt={o}" for o in _LEFT_OUT]
        # The time that files get; mmdebstrap then sorts and writes the archive reproducibly.
        environment = {**os.environ, "SOURCE_DATE_EPOCH": "0", "TMPDIR": str(archive.parent)}
        try:
            subprocess.run(
                ["mmdebstrap", *options, SUITE, str(archive)],
                check=True,
                env=environment,
                capture_output=True,
                text=True,
            )
        except FileNotFoundError as e:
            raise ToolMissing("mmdebstrap", "it is not on PATH", "Install Debian's package mmdebstrap.") from e
        except subprocess.CalledProcessError as e:
            raise ToolMissing("mmdebstrap", e.stderr.strip()[-500:], "Look at its message.") from e


GLIBC = Packages("extract", ("libc6", "libgcc-s1"))
# util-linux: vLLM asks lscpu which cores it may use.
PYTHON = Packages("minbase", ("python3", "libgomp1", "libnuma1", "util-linux"))
CURL = Packages("extract", ("curl", "busybox"))
