"""The library in the place of NVIDIA's, under a real library that needs them."""

import ctypes
import subprocess
from pathlib import Path

from testbed.upstream import absent_cuda

NVIDIA = "int cudaGetDeviceCount(int *n) { return 0; } const char *cudaGetErrorString(int e) { return 0; }"
PYTORCH = """
extern int cudaGetDeviceCount(int *);
extern const char *cudaGetErrorString(int);
int devices(void) { int n; return cudaGetDeviceCount(&n); }
const char *why(void) { return cudaGetErrorString(100); }
"""


def compiled(directory: Path, name: str, source: str, *options: str) -> Path:
    file, library = directory / f"{name}.c", directory / name
    file.write_text(source)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", str(library), str(file), *options], check=True)
    return library


def test_a_library_built_for_cuda_loads_without_it_and_sees_no_device(tmp_path: Path) -> None:
    nvidia, pytorch = tmp_path / "nvidia", tmp_path / "pytorch"
    nvidia.mkdir()
    pytorch.mkdir()
    (tmp_path / "map").write_text("libcudart.so.13 { global: *; };\n")
    version = f"-Wl,--version-script={tmp_path / 'map'},-soname,libcudart.so.13"
    compiled(nvidia, "libcudart.so.13", NVIDIA, version)
    built = compiled(
        pytorch, "libtorch.so", PYTORCH, "-Wl,--no-as-needed,-rpath,$ORIGIN", f"-L{nvidia}", "-l:libcudart.so.13"
    )
    assert absent_cuda.write(pytorch) == ["libcudart.so.13"]
    library = ctypes.CDLL(str(built))
    library.why.restype = ctypes.c_char_p
    assert library.devices() == absent_cuda.NO_DEVICE
    assert library.why() == b"no CUDA in a rehearsal"
    assert (pytorch / "libcudart.so.13").readlink() == Path(absent_cuda.NAME)
    assert not list(pytorch.glob("absent.*"))
