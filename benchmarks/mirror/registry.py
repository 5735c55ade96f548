"""The registries: distribution, as Debian packages it and as its newest release, on a file system, without TLS."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import psutil

from mirror.layout import OCI_MANIFEST

from .content import Published
from .measure import Failed

SECONDS = 15
"""Until a registry answers."""


@contextmanager
def serving(program: str, root: Path, port: int, *, readonly: bool = False) -> Iterator[psutil.Process]:
    """``program`` while it serves what is below ``root`` at ``127.0.0.1:port``; raises Failed when it does not."""
    root.mkdir(parents=True, exist_ok=True)
    configuration, log = root / f"{port}.json", root / f"{port}.log"
    configuration.write_text(json.dumps(_settings(root, port, readonly=readonly)))
    environment = {**os.environ, "OTEL_TRACES_EXPORTER": "none"}
    with log.open("wb") as out:
        process = subprocess.Popen([program, "serve", str(configuration)], stdout=out, stderr=out, env=environment)
    try:
        _wait(process, port, log)
        yield psutil.Process(process.pid)
    finally:
        process.kill()
        process.wait()


def absent(host: str, images: list[Published], prefix: str = "") -> list[str]:
    """The repositories of ``images`` that the registry at ``host`` does not have by their digests."""
    connection = HTTPConnection(host, timeout=30)
    missing = []
    for image in images:
        path = f"/v2/{prefix}{image.repository}/manifests/{image.digest}"
        connection.request("HEAD", path, headers={"Accept": OCI_MANIFEST})
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            missing.append(image.repository)
    connection.close()
    return missing


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise Failed(f"the registry at port {port} does not answer: {log.read_text(errors='replace')[-500:]}")


def _settings(root: Path, port: int, *, readonly: bool) -> dict[str, object]:
    """https://distribution.github.io/distribution/about/configuration/ ."""
    return {
        "version": 0.1,
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(root.resolve())},
            "maintenance": {"readonly": {"enabled": readonly}},
        },
        "http": {"addr": f"127.0.0.1:{port}"},
    }
