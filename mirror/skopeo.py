"""The only module that starts skopeo: natively when it is on PATH, else from its container image."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import NoSpace, NotUpstream, RegistryRefused, SealiftError, ToolMissing

CONTAINER = "quay.io/skopeo/stable:v1.20.0"
"""The image that is run where skopeo is not on PATH."""


@dataclass(frozen=True)
class Finished:
    """How a run of skopeo ended."""

    code: int
    stdout: bytes
    stderr: str


Engine = Callable[[Sequence[str], Sequence[Path]], Finished]
"""Runs skopeo with arguments; the paths are the files and directories that the arguments name."""


def native(arguments: Sequence[str], paths: Sequence[Path]) -> Finished:
    """Run the program on PATH."""
    done = subprocess.run(["skopeo", *arguments], capture_output=True, check=False, stdin=subprocess.DEVNULL)
    return Finished(done.returncode, done.stdout, done.stderr.decode(errors="replace"))


def container(arguments: Sequence[str], paths: Sequence[Path]) -> Finished:
    """Run the container image: host network, each path mounted at its own name."""
    from python_on_whales import docker
    from python_on_whales.exceptions import DockerException

    volumes = [(str(p.resolve()), str(p.absolute())) for p in paths]
    try:
        text = docker.run(CONTAINER, list(arguments), volumes=volumes, networks=["host"], remove=True)
    except DockerException as e:
        return Finished(e.return_code, (e.stdout or "").encode(), e.stderr or "")
    return Finished(0, str(text).encode(), "")


def find() -> Engine:
    """The engine of this machine; raises ToolMissing when it has neither skopeo nor a container engine."""
    if shutil.which("skopeo"):
        return native
    if shutil.which("docker") or shutil.which("podman"):
        return container
    raise ToolMissing(
        "skopeo", "neither skopeo nor docker nor podman is on PATH", "Install skopeo 1.9 or newer, or docker."
    )


def run(engine: Engine, arguments: Sequence[str], paths: Sequence[Path], subject: str) -> bytes:
    """Run skopeo about ``subject`` and return its standard output; raises what :func:`refusal` makes of a failure."""
    done = engine(arguments, paths)
    if done.code:
        raise refusal(subject, done.stderr)
    return done.stdout


_REFUSALS: list[tuple[str, type[SealiftError], str]] = [
    (r"no space left on device", NoSpace, "Make room and run the command again; it continues."),
    (
        r"x509: |tls: ",
        RegistryRefused,
        "Give the certificate of the authority that signed the registry's, as PEM, by --ca-file.",
    ),
    (
        r"server gave HTTP response to HTTPS client",
        RegistryRefused,
        "The registry speaks plain HTTP: give it a certificate.",
    ),
    (
        r"unauthorized|authentication required|denied|forbidden|invalid username|status code 40[13]",
        RegistryRefused,
        "Log in, or give credentials that may do this by --authfile.",
    ),
    (
        r"manifest unknown|name unknown|not found|status code 404",
        NotUpstream,
        "Correct the name or the version, or the digest if upstream withdrew it.",
    ),
    (
        r"connection refused|no such host|i/o timeout|no route to host|network is unreachable|EOF|connection reset",
        RegistryRefused,
        "See that the registry runs and that this machine reaches it; then run the command again.",
    ),
]


def refusal(subject: str, stderr: str) -> SealiftError:
    """The error that skopeo's message means."""
    message = _last(stderr)
    for pattern, kind, instead in _REFUSALS:
        if re.search(pattern, message, re.IGNORECASE):
            return kind(subject, message, instead)
    return RegistryRefused(subject, message, "Read skopeo's message; then run the command again.")


def _last(stderr: str) -> str:
    lines = [line for line in stderr.splitlines() if line.strip()] or ["skopeo failed without a message"]
    found = re.search(r'level=fatal msg="(.*)"$', lines[-1])
    return found.group(1).replace('\\"', '"') if found else lines[-1]
