"""The only module that starts skopeo: natively when it is on PATH, else from its container image."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import BadInput, NoSpace, NotUpstream, SealiftError, ToolMissing

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
    (r"no space left on device", NoSpace, "Make room (TMPDIR names another disk) and run the command again."),
    (
        r"not found|no such image|not known|does not resolve to an image|unable to find",
        NotUpstream,
        "Correct the name.",
    ),
    (
        r"expected 1 item|more than one image|choose an image",
        BadInput,
        "It holds several images: name one after the path, such as docker-archive:all.tar:app:1.4.",
    ),
    (
        r"connect to the docker daemon|connection refused|permission denied",
        ToolMissing,
        "See that the daemon runs and that you may ask it; or save the image (docker save) and name the archive.",
    ),
]


def refusal(subject: str, stderr: str) -> SealiftError:
    """The error that skopeo's message means."""
    message = _last(stderr)
    for pattern, kind, instead in _REFUSALS:
        if re.search(pattern, message, re.IGNORECASE):
            return kind(subject, message, instead)
    return ToolMissing(subject, f"skopeo: {message}", "Read its message; then run the command again.")


def _last(stderr: str) -> str:
    lines = [line for line in stderr.splitlines() if line.strip()] or ["skopeo failed without a message"]
    found = re.search(r'level=fatal msg="(.*)"$', lines[-1])
    return found.group(1).replace('\\"', '"') if found else lines[-1]
