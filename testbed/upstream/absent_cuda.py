"""Stands for NVIDIA's libraries under PyTorch: the package index has PyTorch for CUDA only, and there is no GPU here.

PyTorch's libraries name NVIDIA's as needed and are not loaded without them, though nothing calls into them on a CPU.
One small library with every symbol that they import takes the place of all: each function answers "no device".
"""

from __future__ import annotations

import subprocess
from collections import defaultdict
from pathlib import Path

from mirror.errors import ToolMissing

NAME = "libcuda-absent.so"
NO_DEVICE = 100  # cudaErrorNoDevice, and CUDA_ERROR_NO_DEVICE of the driver's interface
_UNVERSIONED = "SEALIFT_ABSENT"
# Symbol versions and libraries that the C and C++ runtime brings.
_RUNTIME_VERSIONS = ("GLIBC", "GCC", "CXXABI", "GOMP", "OMP", "libnuma")
_RUNTIME_LIBRARIES = ("libc.", "libm.", "libdl.", "librt.", "libpthread.", "libgcc_s.", "libstdc++.", "ld-linux")
# What NVIDIA's interfaces begin with, where the library that has a symbol gives it no version: the driver's, cuFile's,
# cuSPARSELt's and NCCL's. PyTorch's imports from libstdc++ have no version either.
_NVIDIA = ("cu", "nccl", "nv")
# Functions whose answer is read as text.
_SPEAKING = ("cudaGetErrorString", "cudaGetErrorName", "cudnnGetErrorString", "ncclGetErrorString", "ncclGetLastError")


def write(libraries: Path) -> list[str]:
    """Put the stand-in beside PyTorch's ``libraries``; returns the names that it answers to. Needs binutils and gcc."""
    present = {p.name for p in libraries.iterdir()}
    objects = sorted(libraries.glob("*.so"))
    needed = {name for o in objects for name in _needed(o)}
    absent = sorted(n for n in needed - present if not n.startswith((*_RUNTIME_LIBRARIES, "libgomp.")))
    _compile(_imports(objects), libraries)
    for name in absent:
        (libraries / name).symlink_to(NAME)
    return absent


def _imports(objects: list[Path]) -> dict[str, set[str]]:
    """Symbols by version that ``objects`` import from what is absent."""
    defined = {name.partition("@")[0] for o in objects for _, name in _symbols(o, "--defined-only")}
    imports: dict[str, set[str]] = defaultdict(set)
    for o in objects:
        for kind, text in _symbols(o, "--undefined-only"):
            name, _, version = text.partition("@")
            if kind in "wv" or version.startswith(_RUNTIME_VERSIONS):
                continue
            if version or (name.startswith(_NVIDIA) and name not in defined):
                imports[version or _UNVERSIONED].add(name)
    return imports


def _compile(imports: dict[str, set[str]], directory: Path) -> None:
    names = sorted(set().union(*imports.values()))
    quiet = [n for n in names if n not in _SPEAKING]
    speaking = [n for n in names if n in _SPEAKING]
    lines = [".text", *_labels(quiet), f"movl ${NO_DEVICE}, %eax", "ret", *_labels(speaking)]
    lines += ["lea text(%rip), %rax", "ret", '.section .rodata\ntext: .asciz "no CUDA in a rehearsal"']
    lines.append('.section .note.GNU-stack,"",@progbits\n')
    assembly, versions = directory / "absent.s", directory / "absent.map"
    assembly.write_text("\n".join(lines))
    versions.write_text(
        "".join(f"{v} {{ global: {' '.join(f'{s};' for s in sorted(ss))} }};\n" for v, ss in imports.items())
    )
    linker = f"-Wl,-s,--build-id=none,-soname,{NAME},--version-script={versions}"
    _run(["gcc", "-shared", "-nostdlib", linker, "-o", str(directory / NAME), str(assembly)])
    assembly.unlink()
    versions.unlink()


def _labels(names: list[str]) -> list[str]:
    return [f".globl {n}\n.type {n}, @function\n{n}:" for n in names]


def _needed(library: Path) -> list[str]:
    lines = _run(["readelf", "-dW", str(library)]).splitlines()
    return [line.partition("[")[2].rstrip("]") for line in lines if "(NEEDED)" in line]


def _symbols(library: Path, which: str) -> list[tuple[str, str]]:
    words = [line.split() for line in _run(["nm", "-D", which, str(library)]).splitlines()]
    return [(w[-2], w[-1]) for w in words if len(w) > 1]


def _run(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except FileNotFoundError as e:
        raise ToolMissing(command[0], "it is not on PATH", "Install gcc and binutils.") from e
    except subprocess.CalledProcessError as e:
        raise ToolMissing(" ".join(command[:3]), e.stderr.strip()[-500:], "Look at its message.") from e
    return done.stdout
