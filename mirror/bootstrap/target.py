"""A machine that wheels are chosen for: a platform, a version of Python and a C library, and what fits them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from packaging.tags import Tag, compatible_tags, cpython_tags

from ..errors import BadInput

MACHINES = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
"""Platform -> what ``uname -m`` says there."""
LEGACY = {17: ("2014", ("x86_64", "aarch64")), 12: ("2010", ("x86_64",)), 5: ("1", ("x86_64",))}
"""Minor version of glibc 2 -> the older name of its tag, and where that exists (PEP 600)."""


@dataclass(frozen=True)
class Target:
    """CPython ``python`` (``3.11``) on ``platform``, which has glibc ``glibc`` or a newer one."""

    platform: str
    python: str
    glibc: str

    def __str__(self) -> str:
        return f"{self.platform} {self.python}"

    @property
    def machine(self) -> str:
        """What ``uname -m`` says; raises BadInput for a platform that wheels are not chosen for."""
        if self.platform not in MACHINES:
            known = ", ".join(MACHINES)
            raise BadInput(f"platform {self.platform}", "no wheels are chosen for it", f"Known are: {known}.")
        return MACHINES[self.platform]

    @property
    def environment(self) -> dict[str, str]:
        """What markers of requirements see there (PEP 508)."""
        return {
            "implementation_name": "cpython",
            "implementation_version": f"{self.python}.0",
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": f"{self.python}.0",
            "python_version": self.python,
            "sys_platform": "linux",
        }

    def tags(self) -> list[Tag]:
        """The tags of wheels that run there, the best first."""
        version = tuple(map(int, self.python.split(".")))
        interpreter = f"cp{self.python.replace('.', '')}"
        platforms = list(self._platforms())
        return [
            *cpython_tags(version, abis=[interpreter], platforms=platforms),
            *compatible_tags(version, interpreter, platforms),
        ]

    def _platforms(self) -> Iterator[str]:
        for minor in range(int(self.glibc.partition(".")[2]), 4, -1):
            yield f"manylinux_2_{minor}_{self.machine}"
            name, machines = LEGACY.get(minor, ("", ()))
            if self.machine in machines:
                yield f"manylinux{name}_{self.machine}"
        yield f"linux_{self.machine}"


def targets(platforms: Sequence[str], pythons: Sequence[str], glibc: str) -> list[Target]:
    """Every Python on every platform."""
    return [Target(platform, python, glibc) for platform in sorted(platforms) for python in sorted(pythons)]
