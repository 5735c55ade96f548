"""Where the parts of upstream images come from: built programs, C programs of this folder, modules, named layers."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from mirror.atomic import write_atomically
from mirror.errors import BadInput, ToolMissing

from . import debian, modules, packages
from .layers import Entry, Layer, Layers

HERE = Path(__file__).parent

_STATIC = (
    Entry("/etc/passwd", 0o644, data=b"root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532::/home/nonroot:\n"),
    Entry("/etc/group", 0o644, data=b"root:x:0:\nnonroot:x:65532:\n"),
    Entry("/etc/nsswitch.conf", 0o644, data=b"hosts: files dns\n"),
    Entry("/tmp", 0o1777),  # noqa: S108 - in the image
)


@dataclass(frozen=True)
class Sums:
    """sha256 of files, remembered by path, size and time of change: a warm start reads no program again."""

    record: Path
    known: dict[str, list[object]] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)

    @classmethod
    def read(cls, record: Path) -> Sums:
        """What was remembered in ``record``."""
        return cls(record, json.loads(record.read_text()) if record.is_file() else {})

    def sha256(self, path: Path) -> str:
        """Of the file's content, hex; raises BadInput when it is not there."""
        try:
            status = path.stat()
        except OSError as e:
            raise BadInput(str(path), e.strerror or str(e), "Build the rehearsal's programs first.") from e
        stamp = [status.st_size, status.st_mtime_ns]
        kept = self.known.get(str(path))
        if kept and kept[:2] == stamp:
            return str(kept[2])
        with path.open("rb") as f:
            digest = hashlib.file_digest(f, "sha256").hexdigest()
        with self.lock:
            self.known[str(path)] = [*stamp, digest]
        return digest

    def write(self) -> None:
        """Remember for the next run."""
        write_atomically(self.record, json.dumps(self.known, indent=1))


@dataclass(frozen=True)
class Workshop:
    """Everything that images are made from; ``scratch`` needs room for 3 GB while vLLM's layers are made."""

    layers: Layers
    binaries: Path
    scratch: Path
    sums: Sums

    def binary(self, name: str) -> Path:
        """A built program."""
        return self.binaries / name

    def program(self, name: str) -> Path:
        """A C program of this folder, compiled static; the same source is compiled once."""
        source = HERE / f"{name}.c"
        target = self.scratch / "programs" / f"{name}-{self.sums.sha256(source)[:16]}"
        if not target.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            partial = target.with_suffix(".partial")
            command = ["gcc", "-static", "-Os", "-s", "-Wl,--build-id=none", "-o", str(partial), str(source)]
            try:
                subprocess.run(command, check=True, capture_output=True, text=True)
            except FileNotFoundError as e:
                raise ToolMissing("gcc", "it is not on PATH", "Install gcc and libc6-dev.") from e
            except subprocess.CalledProcessError as e:
                raise ToolMissing("gcc", e.stderr.strip()[-500:], f"Mend {source.name}.") from e
            partial.replace(target)
        return target

    def module(self, name: str) -> Path:
        """The directory of a Go module."""
        return modules.directory(name)

    def layer(self, name: str) -> Layer:
        """A layer by the name that images.yaml uses; made when it is new, which may take minutes."""
        makers: dict[str, Callable[[], Layer]] = {
            "static": lambda: self.layers.make(_static_key(), lambda: _STATIC),
            "glibc": lambda: debian.GLIBC.layer(self.layers, self.scratch),
            "curl": lambda: debian.CURL.layer(self.layers, self.scratch),
            "python": lambda: debian.PYTHON.layer(self.layers, self.scratch),
            "envoy": lambda: packages.envoy(self.layers, self.scratch),
            "storage-initializer": lambda: packages.storage_initializer(self.layers, self.scratch),
            "vllm-torch": lambda: packages.vllm(self.layers, self.scratch)[0],
            "vllm": lambda: packages.vllm(self.layers, self.scratch)[1],
        }
        return makers[name]()

    def layer_key(self, name: str) -> str:
        """A text that changes when the named layer would come out differently."""
        keys: dict[str, Callable[[], str]] = {
            "static": _static_key,
            "glibc": lambda: debian.GLIBC.key,
            "curl": lambda: debian.CURL.key,
            "python": lambda: debian.PYTHON.key,
            "envoy": lambda: packages.key(packages.ENVOY),
            "storage-initializer": lambda: packages.key(packages.STORAGE_INITIALIZER),
            "vllm-torch": lambda: packages.key(packages.VLLM, "torch"),
            "vllm": lambda: packages.key(packages.VLLM, "rest"),
        }
        if name not in keys:
            raise BadInput(f"layer {name!r}", "nothing makes it", f"Name one of: {', '.join(keys)}.")
        return keys[name]()

    def sha256(self, path: Path) -> str:
        """Of a file's content, hex."""
        return self.sums.sha256(path)


def _static_key() -> str:
    return f"static {hashlib.sha256(repr(_STATIC).encode()).hexdigest()}"
