"""A real API server on the loopback, with etcd and the controllers but no node, and the real ``pulumi`` command."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3
import yaml

from testbed.pulumi.launch import prepare
from testbed.pulumi.provider.api import Api, ApiError
from testbed.pulumi.provider.kubeconfig import Access, access
from tests.api_server import free_ports, program

PROGRAM = Path(__file__).with_name("program.py")
TOKEN = "loopback-only"


class ControlPlane:
    """etcd, kube-apiserver and kube-controller-manager; ``kubeconfig`` reaches them as an administrator."""

    def __init__(self, directory: Path, *api_server_flags: str) -> None:
        self.directory = directory
        self.api_server_flags = api_server_flags
        self.kubeconfig = directory / "kubeconfig"
        self._client, self._peer, self._port = free_ports(3)
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> Api:
        key, public = self._keys()
        client, peer = f"http://127.0.0.1:{self._client}", f"http://127.0.0.1:{self._peer}"
        self._run(
            "etcd",
            f"--data-dir={self.directory}/etcd",
            "--unsafe-no-fsync",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
        )
        (self.directory / "tokens.csv").write_text(f"{TOKEN},admin,admin,system:masters\n")
        self._run(
            "kube-apiserver",
            f"--etcd-servers={client}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self._port}",
            f"--cert-dir={self.directory}/certs",
            "--authorization-mode=AlwaysAllow",
            f"--token-auth-file={self.directory}/tokens.csv",
            f"--service-account-key-file={public}",
            f"--service-account-signing-key-file={key}",
            "--service-account-issuer=https://kubernetes.default",
            "--service-cluster-ip-range=10.97.0.0/24",
            *self.api_server_flags,
        )
        self._write_kubeconfig()
        api = Api(self._answering())
        self._run(
            "kube-controller-manager",
            f"--kubeconfig={self.kubeconfig}",
            f"--service-account-private-key-file={key}",
            "--secure-port=0",
            "--leader-elect=false",
        )
        return api

    def stop(self) -> None:
        for process in reversed(self._processes):
            process.kill()  # nothing in it is to be kept
            process.wait()

    def _keys(self) -> tuple[Path, Path]:
        key, public = self.directory / "service-accounts.key", self.directory / "service-accounts.pub"
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
        subprocess.run(["openssl", "rsa", "-in", key, "-pubout", "-out", public], check=True, capture_output=True)
        return key, public

    def _run(self, name: str, *arguments: str) -> None:
        with (self.directory / f"{name}.log").open("wb") as log:
            process = subprocess.Popen([program(name), *arguments], stdout=log, stderr=log)
        self._processes.append(process)

    def _write_kubeconfig(self) -> None:
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "loopback",
            "clusters": [{"name": "loopback", "cluster": self._cluster()}],
            "users": [{"name": "admin", "user": {"token": TOKEN}}],
            "contexts": [{"name": "loopback", "context": {"cluster": "loopback", "user": "admin"}}],
        }
        self.kubeconfig.write_text(yaml.safe_dump(document))

    def _cluster(self) -> dict[str, str]:
        return {
            "server": f"https://127.0.0.1:{self._port}",
            "certificate-authority": str(self.directory / "certs" / "apiserver.crt"),
        }

    def _answering(self) -> Access:
        """Wait, at most a minute, until the API server answers as ready."""
        end = time.monotonic() + 60
        reason: Exception | None = None
        while time.monotonic() < end:
            try:
                found = access(str(self.kubeconfig))
                Api(found).request("GET", "/api/v1/namespaces/default")
            except (OSError, ApiError, urllib3.exceptions.HTTPError) as error:
                reason = error
                time.sleep(0.2)
            else:
                return found
        raise AssertionError(f"the API server does not answer: {reason}; see {self.directory}")


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ControlPlane, Api]]:
    control_plane = ControlPlane(tmp_path_factory.mktemp("control-plane"))
    try:
        yield control_plane, control_plane.start()
    finally:
        control_plane.stop()


@pytest.fixture
def api(control_plane: tuple[ControlPlane, Api]) -> Api:
    return control_plane[1]


@pytest.fixture
def kubeconfig(control_plane: tuple[ControlPlane, Api]) -> Path:
    return control_plane[0].kubeconfig


class Stack:
    """A stack of the small test program, driven by the real command in a directory of its own."""

    def __init__(self, directory: Path, environment: dict[str, str]) -> None:
        self.directory = directory
        self.environment = environment
        (directory / "Pulumi.yaml").write_text("name: small\nruntime: python\n")
        shutil.copy(PROGRAM, directory / "__main__.py")
        self.run("stack", "init", "test")

    def objects(self, *entries: dict[str, Any]) -> None:
        """What the program registers: see program.py."""
        (self.directory / "objects.json").write_text(json.dumps(entries))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [shutil.which("pulumi", path=self.environment["PATH"]) or "pulumi", *arguments, "--non-interactive"]
        return subprocess.Popen(
            command,
            cwd=self.directory,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str, succeeds: bool = True) -> str:
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=120)
        assert (process.returncode == 0) == succeeds, output
        return output


@pytest.fixture
def stack(tmp_path: Path, kubeconfig: Path) -> Stack:
    bin_dir = Path(program("pulumi")).parent
    launch = prepare(bin_dir, Path(sys.executable), tmp_path / "state", passphrase="of a test")
    (tmp_path / "project").mkdir()
    environment = {**os.environ, **launch.environment, "KUBECONFIG": str(kubeconfig)}
    return Stack(tmp_path / "project", environment)
