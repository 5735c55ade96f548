"""The node's machine: a mount and a pid namespace inside the node's network namespace. Its pid 1 holds all together."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from . import network
from .ledger import Book
from .processes import Process, output, wait_until

_CODE = {"PYTHONPATH": str(Path(__file__).parents[2])}

# The kubelet wants these values and would set the real machine's. It gets files that have them already.
_KERNEL = {
    "vm/overcommit_memory": 1,
    "vm/panic_on_oom": 0,
    "kernel/panic": 10,
    "kernel/panic_on_oops": 1,
    "kernel/keys/root_maxkeys": 1000000,
    "kernel/keys/root_maxbytes": 25000000,
}


class Machine:
    """Starts daemons inside the namespaces of one node; ``down`` ends them with every container."""

    def __init__(self, book: Book, namespace: str, directory: Path, environment: dict[str, str]) -> None:
        self._book, self._namespace, self._environment = book, namespace, environment
        self.directory = directory
        self.logs = directory / "log"
        self._names: set[str] = set()

    def up(self) -> None:
        """Start pid 1 and wait until its mounts are made."""
        self.logs.mkdir(parents=True)
        for name in ("kubelet", "cni"):
            (self.directory / name).mkdir(parents=True)
        ready = self.directory / "machine.ready"
        plan = self.directory / "machine.json"
        plan.write_text(json.dumps({"mounts": self._mounts(), "ready": str(ready)}, indent=1))
        own = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--mount-proc", "--kill-child"]
        python = [sys.executable, "-I", str(Path(__file__).with_name("init.py")), str(plan)]
        log = self.logs / "machine.log"
        command = [*network.inside_bare(self._namespace), *own, *python]
        outer = self._start("machine", command)
        wait_until("the node's namespaces", ready.exists, seconds=20, needs=[outer], log=log)
        children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text().split()
        self._init = self._book.enter(Process.of("machine-init", int(children[0])))
        self._names.add("machine-init")

    def daemon(self, name: str, argv: list[str]) -> Process:
        """Start a daemon of the node; its output goes to ``logs``/NAME.log."""
        return self._start(name, [*self.inside(), *argv])

    def inside(self) -> list[str]:
        """The words before a command that put it into the machine."""
        return ["nsenter", "--target", str(self._init.pid), "--mount", "--pid", "--net"]

    def beside(self, name: str, module: str, *arguments: str) -> Process:
        """Start a Python module of this program in the node's network namespace alone; files and pids are outside's."""
        return self._start(name, self._python(module, *arguments), _CODE)

    def ask(self, module: str, *arguments: str) -> str:
        """What a Python module of this program prints, run as ``beside`` runs it; raises ToolMissing when it fails."""
        return output(self._python(module, *arguments), env=self._environment | _CODE)

    def log(self, name: str) -> Path:
        """Where the output of daemon ``name`` goes."""
        return self.logs / f"{name}.log"

    def down(self) -> None:
        """End pid 1; the kernel ends all that is in the machine, then what started it from outside ends too."""
        self._book.end(self._names)

    def _start(self, name: str, command: list[str], env: dict[str, str] | None = None) -> Process:
        self._names.add(name)
        return self._book.start(name, command, self.log(name), self._environment | (env or {}))

    def _python(self, module: str, *arguments: str) -> list[str]:
        return [*network.inside_bare(self._namespace), sys.executable, "-m", module, *arguments]

    def _mounts(self) -> list[list[str]]:
        """Arguments of mount(8). The directories of the real machine that daemons write to are covered by its own."""
        fakes = []
        for key, value in _KERNEL.items():
            fake = self.directory / "sysctl" / key
            fake.parent.mkdir(parents=True, exist_ok=True)
            fake.write_text(f"{value}\n")
            fakes.append(["--bind", str(fake), f"/proc/sys/{key}"])
        self._book.own(Path("/var/lib/cni"))
        self._book.own(Path("/var/lib/kubelet"))
        return [
            ["--make-rshared", "/"],  # so that a pod's mountPropagation works
            ["-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"],
            ["-t", "tmpfs", "-o", "mode=755", "tmpfs", "/var/log"],  # the kubelet's links; the logs are elsewhere
            ["--bind", str(self.directory / "kubelet"), "/var/lib/kubelet"],
            ["--bind", str(self.directory / "cni"), "/var/lib/cni"],
            *fakes,
            # With the files above bound over it, /proc is not "fully visible" to the kernel, which then refuses a pod
            # with a user namespace its own. One clean mount anywhere in the namespace is enough (mount_namespaces(7)).
            ["-t", "proc", "proc", "/run/proc"],
        ]
