"""A real API server with its etcd on the loopback, for tests; no controllers and no nodes."""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from testbed.toolchain.cache import cache_directory

ADMINISTRATOR = "administrator"
_READY_SECONDS = 90


@dataclass(frozen=True)
class ApiServer:
    """A running API server; ``kubeconfig`` reaches it as a member of system:masters."""

    directory: Path
    kubeconfig: Path
    etcd: str

    def kubectl(self, *words: str, given: str | None = None, succeeds: bool = True) -> str:
        """What kubectl prints; on standard error when it is to fail."""
        command = [program("kubectl"), f"--kubeconfig={self.kubeconfig}", *words]
        done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode == 0) == succeeds, done.stdout + done.stderr
        return done.stdout if succeeds else done.stderr

    def stored(self, key: str) -> bytes:
        """The raw value of ``key`` in etcd (its JSON gateway: https://etcd.io/docs/v3.6/dev-guide/api_grpc_gateway/)."""
        body = json.dumps({"key": base64.b64encode(key.encode()).decode()}).encode()
        with urllib.request.urlopen(f"{self.etcd}/v3/kv/range", body, timeout=10) as answer:
            [found] = json.load(answer)["kvs"]
        return base64.b64decode(found["value"])


def program(name: str) -> str:
    """A program that the toolchain has built, or one on PATH."""
    found = shutil.which(name, path=os.pathsep.join([str(cache_directory() / "bin"), os.environ["PATH"]]))
    assert found, f"{name} is not built: run `sealift tools` first"
    return found


@contextmanager
def running(directory: Path, flags: Sequence[str] = (), authorization: str = "RBAC") -> Iterator[ApiServer]:
    """An API server that keeps everything in ``directory``, with ``flags`` beside its own."""
    client, peer, port = free_ports(3)
    server = ApiServer(directory, directory / "kubeconfig", f"http://127.0.0.1:{client}")
    key, public = _signing_key(directory)
    (directory / "tokens.csv").write_text(f"{ADMINISTRATOR},admin,admin,system:masters\n")
    etcd = [f"--listen-client-urls={server.etcd}", f"--advertise-client-urls={server.etcd}"]
    etcd += [f"--{which}-peer-urls=http://127.0.0.1:{peer}" for which in ("listen", "initial-advertise")]
    etcd += [f"--initial-cluster=default=http://127.0.0.1:{peer}", f"--data-dir={directory}/etcd", "--unsafe-no-fsync"]
    api = [f"--etcd-servers={server.etcd}", "--bind-address=127.0.0.1", f"--secure-port={port}"]
    api += [f"--cert-dir={directory}/certs", f"--authorization-mode={authorization}"]
    api += [f"--token-auth-file={directory}/tokens.csv", "--service-account-issuer=https://kubernetes.default"]
    api += [f"--service-account-key-file={public}", f"--service-account-signing-key-file={key}"]
    api += ["--service-cluster-ip-range=10.97.0.0/24", *flags]
    _kubeconfig(server, port)
    processes = []
    try:
        processes.append(_start("etcd", etcd, directory))
        processes.append(_start("kube-apiserver", api, directory))
        _wait(server, processes)
        yield server
    finally:
        for process in reversed(processes):
            process.kill()  # nothing in it is to be kept
            process.wait()


def free_ports(count: int) -> list[int]:
    """Ports of the loopback that nobody listens at."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [found.getsockname()[1] for found in sockets]
    for found in sockets:
        found.close()
    return ports


def _start(name: str, arguments: list[str], directory: Path) -> subprocess.Popen[bytes]:
    with (directory / f"{name}.log").open("wb") as log:
        return subprocess.Popen([program(name), *arguments], stdout=log, stderr=log)


def _wait(server: ApiServer, processes: list[subprocess.Popen[bytes]]) -> None:
    end = time.monotonic() + _READY_SECONDS
    command = [program("kubectl"), f"--kubeconfig={server.kubeconfig}", "get", "--raw=/readyz"]
    while subprocess.run(command, capture_output=True, check=False).returncode:
        dead = [p for p in processes if p.poll() is not None]
        log = (server.directory / "kube-apiserver.log").read_text()[-2000:]
        assert not dead, f"{dead[0].args!r} ended: {log}"
        assert time.monotonic() < end, f"the API server is not ready: {log}"
        time.sleep(0.3)


def _signing_key(directory: Path) -> tuple[Path, Path]:
    key, public = directory / "service-accounts.key", directory / "service-accounts.pub"
    subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
    subprocess.run(["openssl", "rsa", "-in", key, "-pubout", "-out", public], check=True, capture_output=True)
    return key, public


def _kubeconfig(server: ApiServer, port: int) -> None:
    authority = str(server.directory / "certs" / "apiserver.crt")
    cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority": authority}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "loopback",
        "clusters": [{"name": "loopback", "cluster": cluster}],
        "users": [{"name": "admin", "user": {"token": ADMINISTRATOR}}],
        "contexts": [{"name": "loopback", "context": {"cluster": "loopback", "user": "admin"}}],
    }
    server.kubeconfig.write_text(yaml.safe_dump(document))
