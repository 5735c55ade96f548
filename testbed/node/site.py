"""The operator's side of an air-gapped site: a network namespace with the internal registry and a name server."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from mirror.errors import BadInput, ToolMissing

from . import addresses, cgroups, content, network, processes
from .certificates import Authority, Credential
from .ledger import Book
from .processes import Process

_LEDGERS = Path("/run/sealift")
_MARK = ".sealift-site"  # a state directory carries it, and nothing without it is ever emptied
_PROGRAMS = ("coredns", "conntrack", "docker-registry", "ip", "iptables", "nft", "nsenter", "ss", "sysctl", "unshare")
# Commands of the site find no settings of the machine outside, and its registry sends no traces.
_LEFT_OUT = ("KUBECONFIG", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


@dataclass(frozen=True)
class Paths:
    """``state`` is a directory of the site's own, emptied at every start; ``bin`` holds the programs (toolchain).

    Neither may lie below /run or /var/log, which the node covers with its own.
    """

    state: Path
    bin: Path


class Site:
    """Two network namespaces, ``NAME-site`` and ``NAME-node``, without a way out; registry and name server run.

    ``ca_file`` is the authority (PEM) of the registry's certificate; ``registry`` is its host and port. A context
    manager: leaving it takes everything down.
    """

    def __init__(self, paths: Paths, name: str, domain: str) -> None:
        self.paths = Paths(paths.state.absolute(), paths.bin.absolute())
        self.name = name
        self.domain = domain
        self.site_namespace, self.node_namespace = f"{name}-site", f"{name}-node"
        self.registry = addresses.REGISTRY
        self.directory = self.paths.state / "site"
        self.ca_file = self.directory / "registry-ca.crt"
        self.dns_log = self.directory / "dns.log"
        self.book = Book(_LEDGERS / f"{name}.json")
        _clear(name, self.book)

    @classmethod
    def create(
        cls, paths: Paths, *, registry_storage: Path, name: str = "sealift", domain: str = "sealift.test"
    ) -> Self:
        """Clean up what an earlier run of this name left, then start the site; nothing stays when that fails.

        ``registry_storage`` is kept between runs. ``*.domain`` resolves to the node on the operator's side. Raises
        Busy when another orchestrator uses the name, ToolMissing for a program or kernel part that is not there.
        """
        site = cls(paths, name, domain)
        try:
            site._start(registry_storage.absolute())
        except BaseException:
            site.down()
            raise
        return site

    @staticmethod
    def take_down(name: str = "sealift") -> bool:
        """End what an earlier run of ``name`` left; False when that was nothing. Raises Busy while one still runs."""
        book = Book(_LEDGERS / f"{name}.json")
        found = bool(book.ledger.processes)
        _clear(name, book)
        book.close()
        return found

    def run(
        self,
        argv: list[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        given: str | None = None,
        check: bool = True,
        seconds: float | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run an operator's command inside the site and capture its output; ``env`` adds to the environment.

        Raises ToolMissing with the end of its output when it fails and ``check`` is set, or lasts over ``seconds``.
        """
        command, environment = [*network.inside(self.site_namespace), *argv], self.environment(env)
        try:
            done = subprocess.run(
                command, env=environment, cwd=cwd, input=given, text=True, capture_output=True, timeout=seconds
            )
        except subprocess.TimeoutExpired as e:
            raise ToolMissing(" ".join(argv), f"not done within {seconds} s", "See what it waits for.") from e
        if check and done.returncode:
            end = (done.stdout + done.stderr).strip()[-3000:]
            raise ToolMissing(" ".join(argv), f"exit status {done.returncode}: {end}", "Mend what it says.")
        return done

    def popen(
        self,
        argv: list[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stdout: int | IO[bytes] | None = None,
        stderr: int | IO[bytes] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start an operator's command inside the site; output goes where the caller's goes, unless said otherwise."""
        command = [*network.inside(self.site_namespace), *argv]
        return subprocess.Popen(command, env=self.environment(env), cwd=cwd, stdout=stdout, stderr=stderr)

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """The environment of the site's processes: the programs first on PATH, no proxy and no foreign kubeconfig."""
        kept = {key: value for key, value in os.environ.items() if key not in _LEFT_OUT}
        system = kept.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"
        return kept | {"PATH": f"{self.paths.bin}:{system}", "OTEL_TRACES_EXPORTER": "none"} | dict(extra or {})

    def down(self) -> None:
        """Take everything down, cluster included. Logs and the registry's storage stay. May be called again."""
        if not self.book.closed:
            _clear(self.name, self.book)
            self.book.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.down()

    def _start(self, storage: Path) -> None:
        processes.require(_PROGRAMS, path=self.environment()["PATH"])
        _empty(self.paths.state)
        self.directory.mkdir(parents=True)
        storage.mkdir(parents=True, exist_ok=True)
        network.create(self.site_namespace, self.node_namespace)
        self._resolver()
        credential = self._credential()
        settings = {"storage": storage, "certificate": credential.certificate, "key": credential.key}
        configuration = content.write("registry.yaml", self.directory / "registry.yaml", **settings)
        registry = self._daemon("registry", ["docker-registry", "serve", str(configuration)], "registry.log")
        names = content.write("site.Corefile", self.directory / "Corefile", domain=self.domain)
        dns = self._daemon("site-dns", [str(self.paths.bin / "coredns"), "-conf", str(names)], "dns.log")
        for process, port, log in ((registry, 5000, "registry.log"), (dns, 53, "dns.log")):
            processes.wait_until(
                f"{process.name} on {addresses.SITE}:{port}",
                lambda port=port: self._listens(port),  # type: ignore[misc]
                seconds=20,
                needs=[process],
                log=self.directory / log,
            )

    def _credential(self) -> Credential:
        authority = Authority(self.directory / "pki", "sealift-registry-ca")
        shutil.copy(authority.certificate, self.ca_file)
        return authority.issue("registry", "registry", names=(addresses.SITE, "127.0.0.1", "localhost"))

    def _resolver(self) -> None:
        """What ``ip netns exec`` binds over /etc/resolv.conf for commands in the site (ip-netns(8))."""
        directory = _resolver_directory(self.site_namespace)
        self.book.own(directory)
        (directory / "resolv.conf").write_text(f"nameserver {addresses.SITE}\noptions timeout:1 attempts:1\n")

    def _daemon(self, name: str, argv: list[str], log: str) -> Process:
        command = [*network.inside(self.site_namespace), *argv]
        return self.book.start(name, command, self.directory / log, self.environment())

    def _listens(self, port: int) -> bool:
        listening = processes.output([*network.inside(self.site_namespace), "ss", "-Htln", f"sport = :{port}"])
        return bool(listening.strip())


def _clear(name: str, book: Book) -> None:
    """The ledger names processes by pid and start time; one that was started and not yet entered when its orchestrator
    was killed, or an operator's command, is found by being inside one of the site's own network namespaces.
    """
    book.end()
    for namespace in (f"{name}-site", f"{name}-node"):
        handle = network.NAMED / namespace
        if handle.exists():
            for process in processes.in_network_namespace(handle):
                process.end(signal.SIGKILL)
        network.delete(namespace)
    cgroups.remove(name)
    (_resolver_directory(f"{name}-site") / "resolv.conf").unlink(missing_ok=True)
    book.disown()


def _empty(state: Path) -> None:
    """Empty the directory of an earlier site; raises BadInput for one that holds anything else."""
    if state.exists():
        if any(state.iterdir()) and not (state / _MARK).exists():
            raise BadInput(f"state directory {state}", "it holds files of something else", "Give an empty directory.")
        shutil.rmtree(state)
    state.mkdir(parents=True)
    (state / _MARK).touch()


def _resolver_directory(namespace: str) -> Path:
    return Path("/etc/netns") / namespace
