"""A Kubernetes cluster of one node on the site's second machine, ready when its Node and its DNS are."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Self

from mirror.errors import BadInput

from . import addresses, cgroups, content, control_plane
from .control_plane import Keys
from .machine import Machine
from .processes import Process, require, wait_until
from .site import Site

_CNI_PLUGINS = Path("/usr/lib/cni")  # Debian's containernetworking-plugins
_USED_PLUGINS = ("bridge", "host-local", "loopback", "portmap")
_PROGRAMS = (
    *("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl"),
    *("containerd", "containerd-shim-runc-v2", "ctr", "runc"),
)


class Cluster:
    """A running cluster. ``kubeconfig`` (administrator) is for commands inside the site.

    ``cni_bin_dir`` and ``cni_conf_dir`` are the node's, for a CNI plugin that installs itself; ``pod_logs`` is the
    kubelet's directory of container logs and ``address_log`` tells which pod was given which address.
    """

    def __init__(self, site: Site, certs_d: Path, api_server_flags: Path) -> None:
        self.site = site
        self.directory = site.paths.state / "node"
        self.certs_d = certs_d.absolute()
        self.api_server_flags = api_server_flags.absolute()
        self.cni_bin_dir = self.directory / "cni-bin"
        self.cni_conf_dir = self.directory / "cni.d"
        self.pod_logs = self.directory / "pod-logs"
        self.address_log = self.directory / "log" / "network-policy.log"
        self.machine = Machine(site.book, site.node_namespace, self.directory, site.environment())
        self._keys: Keys = control_plane.make_keys(self.directory / "pki")
        self.kubeconfig = self._keys.kubeconfigs["admin"]

    @classmethod
    def create(cls, site: Site, *, certs_d: Path, api_server_flags: Path) -> Self:
        """Start the cluster in ``site`` and wait until its Node and CoreDNS are ready (minutes at most).

        ``certs_d`` holds the hosts.toml directories by which containerd finds every registry in the internal one,
        where the sandbox image and CoreDNS must be. ``api_server_flags`` is a file of further flags of the API server,
        one a line. Raises ToolMissing with the log of what did not come up.
        """
        cluster = cls(site, certs_d, api_server_flags)
        try:
            cluster._start()
        except BaseException:
            cluster.down()
            raise
        return cluster

    def kubectl(self, *arguments: str, given: str | None = None) -> str:
        """What ``kubectl`` prints as the administrator; raises ToolMissing when it fails."""
        return self.site.run(["kubectl", "--kubeconfig", str(self.kubeconfig), *arguments], given=given).stdout

    def stored(self, prefix: str) -> dict[str, str]:
        """How the values of etcd begin whose keys begin with ``prefix``, by key: some bytes, as Latin-1."""
        files = {"ca": self._keys.etcd_ca.certificate, **vars(self._keys.etcd_client)}
        options = [word for name, file in files.items() for word in (f"--{name}", str(file))]
        found: dict[str, str] = json.loads(self.machine.ask("testbed.node.etcd", *options, prefix))
        return found

    def down(self) -> None:
        """End the cluster and everything in it; the site stays. Logs stay, data goes."""
        self.machine.down()
        cgroups.remove(self.site.name)
        for data in ("containerd", "etcd", "kubelet", "cni"):
            if (self.directory / data).exists():
                shutil.rmtree(self.directory / data)

    def _start(self) -> None:
        self._directories()
        cgroups.create(self.site.name)
        self.machine.up()
        containerd = self._containerd()
        etcd = self._daemon("etcd", control_plane.etcd(self._bin("etcd"), self._keys, self.directory / "etcd"))
        flags = control_plane.api_server(self._bin("kube-apiserver"), self._keys, self.api_server_flags)
        api = self._daemon("kube-apiserver", flags)
        for name, flags_of in (
            ("kube-controller-manager", control_plane.controller_manager),
            ("kube-scheduler", control_plane.scheduler),
        ):
            self._daemon(name, flags_of(self._bin(name), self._keys))
        enforcer = self._policy_enforcer()
        log = self.machine.log("kube-apiserver")
        wait_until("the API server", self._api_ready, seconds=90, needs=[etcd, api], log=log)
        log = self.machine.log("network-policy")
        wait_until("NetworkPolicy's rules", self._policies_enforced, seconds=30, needs=[enforcer], log=log)
        kubelet = self._kubelet()
        self._kube_proxy()
        self.kubectl("apply", "--server-side", "-f", "-", given=content.render("coredns.yaml"))
        log = self.machine.log("kubelet")
        wait_until("the Node", self._node_ready, seconds=90, needs=[containerd, kubelet], log=log)
        self.kubectl("-n", "kube-system", "rollout", "status", "deployment/coredns", "--timeout=120s")

    def _directories(self) -> None:
        require(_PROGRAMS, path=str(self.site.paths.bin))
        if not self.certs_d.is_dir():
            raise BadInput(
                f"registry configuration {self.certs_d}",
                "it is no directory",
                "Write it with `sealift nodeconfig containerd --output DIR`.",
            )
        if not self.api_server_flags.is_file():
            raise BadInput(
                f"flags of the API server {self.api_server_flags}",
                "there is no such file",
                "Write it with `sealift nodeconfig apiserver --output DIR`.",
            )
        self.cni_bin_dir.mkdir(parents=True)
        require(_USED_PLUGINS, path=str(_CNI_PLUGINS))
        for plugin in _USED_PLUGINS:
            shutil.copy(_CNI_PLUGINS / plugin, self.cni_bin_dir)
        leases = self.directory / "cni" / "leases"
        content.write("bridge.conflist", self.cni_conf_dir / "10-bridge.conflist", leases=leases)
        self.pod_logs.mkdir()

    def _containerd(self) -> Process:
        configuration = content.write(
            "containerd.toml",
            self.directory / "containerd.toml",
            root=self.directory / "containerd",
            certs_d=self.certs_d,
            cni_bin=self.cni_bin_dir,
            cni_conf=self.cni_conf_dir,
            runc=self._bin("runc"),
        )
        return self._daemon("containerd", [str(self._bin("containerd")), "--config", str(configuration)])

    def _kubelet(self) -> Process:
        # Pods of dnsPolicy Default get this file: they ask the cluster's DNS, which logs them.
        resolv_conf = self.directory / "resolv.conf"
        resolv_conf.write_text(f"nameserver {addresses.DNS_SERVICE}\n")
        configuration = content.write(
            "kubelet.yaml",
            self.directory / "kubelet.yaml",
            cgroup=self.site.name,
            pod_logs=self.pod_logs,
            ca=self._keys.ca.certificate,
            certificate=self._keys.kubelet_server.certificate,
            key=self._keys.kubelet_server.key,
            resolv_conf=resolv_conf,
        )
        flags = [
            f"--config={configuration}",
            f"--kubeconfig={self._keys.kubeconfigs['kubelet']}",
            f"--hostname-override={addresses.NODE_NAME}",
            f"--node-ip={addresses.NODE}",
        ]
        return self._daemon("kubelet", [str(self._bin("kubelet")), *flags])

    def _kube_proxy(self) -> Process:
        own = self._keys.kubeconfigs["proxy"]
        configuration = content.write("kube-proxy.yaml", self.directory / "kube-proxy.yaml", kubeconfig=own)
        return self._daemon("kube-proxy", [str(self._bin("kube-proxy")), f"--config={configuration}"])

    def _policy_enforcer(self) -> Process:
        """Enforcing begins before the kubelet starts the first pod."""
        admin, leases = self._keys.admin, self.directory / "cni" / "results"
        files = {"ca": self._keys.ca.certificate, "certificate": admin.certificate, "key": admin.key, "leases": leases}
        arguments = [word for name, file in files.items() for word in (f"--{name}", str(file))]
        return self.machine.beside("network-policy", "testbed.node.policy_enforcer", *arguments)

    def _policies_enforced(self) -> bool:
        return '"applied"' in self.machine.log("network-policy").read_text()

    def _api_ready(self) -> bool:
        return self._asked("get", "--raw=/readyz") == "ok"

    def _node_ready(self) -> bool:
        condition = '{.status.conditions[?(@.type=="Ready")].status}'
        return self._asked("get", "node", addresses.NODE_NAME, "-o", f"jsonpath={condition}") == "True"

    def _asked(self, *arguments: str) -> str:
        """What kubectl prints, or nothing while it cannot: for conditions that are waited for."""
        command = ["kubectl", "--kubeconfig", str(self.kubeconfig), *arguments]
        done = self.site.run(command, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""

    def _daemon(self, name: str, argv: list[str]) -> Process:
        return self.machine.daemon(name, argv)

    def _bin(self, name: str) -> Path:
        return self.site.paths.bin / name
