"""The control plane's programs with their flags: etcd, API server, controller manager, scheduler."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

from . import addresses, content
from .certificates import Authority, Credential, signing_key

ETCD_PORT = 2379
_ETCD = f"https://127.0.0.1:{ETCD_PORT}"
_SERVICE_DOMAIN = f"kubernetes.default.svc.{addresses.CLUSTER_DOMAIN}"
_API_NAMES = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", _SERVICE_DOMAIN, "localhost")


@dataclass(frozen=True)
class Keys:
    """Every key of the cluster, and the kubeconfig of each of its users."""

    ca: Authority
    etcd_ca: Authority
    front_proxy_ca: Authority
    service_accounts: Credential
    api_server: Credential
    kubelet_client: Credential
    kubelet_server: Credential
    etcd_server: Credential
    etcd_client: Credential
    front_proxy: Credential
    admin: Credential
    kubeconfigs: dict[str, Path]


def make_keys(directory: Path) -> Keys:
    """Make all keys in ``directory``, and kubeconfigs for admin, controller-manager, scheduler, kubelet and proxy."""
    ca, etcd_ca, front = (Authority(directory, name) for name in ("ca", "etcd-ca", "front-proxy-ca"))
    node, masters = f"system:node:{addresses.NODE_NAME}", "system:masters"
    api = (*_API_NAMES, addresses.KUBERNETES_SERVICE, addresses.NODE, "127.0.0.1")
    users = {
        "admin": ca.issue("admin", "kubernetes-admin", organization=masters),
        "controller-manager": ca.issue("controller-manager", "system:kube-controller-manager"),
        "scheduler": ca.issue("scheduler", "system:kube-scheduler"),
        "kubelet": ca.issue("kubelet", node, organization="system:nodes"),
        "proxy": ca.issue("proxy", "system:kube-proxy"),
    }
    return Keys(
        ca=ca,
        etcd_ca=etcd_ca,
        front_proxy_ca=front,
        service_accounts=signing_key(directory, "service-accounts"),
        api_server=ca.issue("api-server", "kube-apiserver", names=api),
        kubelet_client=ca.issue("kubelet-client", "kube-apiserver-kubelet-client", organization=masters),
        kubelet_server=ca.issue(
            "kubelet-server", node, organization="system:nodes", names=(addresses.NODE_NAME, addresses.NODE)
        ),
        etcd_server=etcd_ca.issue("etcd-server", "etcd", names=("localhost", "127.0.0.1")),
        etcd_client=etcd_ca.issue("etcd-client", "kube-apiserver"),
        front_proxy=front.issue("front-proxy-client", "front-proxy-client"),
        admin=users["admin"],
        kubeconfigs={name: _kubeconfig(directory, name, ca, user) for name, user in users.items()},
    )


def etcd(program: Path, keys: Keys, data: Path) -> list[str]:
    """Etcd on loopback with client certificates. It does not sync to disk: its data lives as long as the rehearsal."""
    peer = "http://127.0.0.1:2380"
    return [
        str(program),
        "--name=sealift",
        f"--data-dir={data}",
        f"--listen-client-urls={_ETCD}",
        f"--advertise-client-urls={_ETCD}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=sealift={peer}",
        f"--cert-file={keys.etcd_server.certificate}",
        f"--key-file={keys.etcd_server.key}",
        "--client-cert-auth",
        f"--trusted-ca-file={keys.etcd_ca.certificate}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def api_server(program: Path, keys: Keys, configured: Path) -> list[str]:
    """The API server, with the ImageVolume gate (beta and off in 1.34) and the flags of ``configured``, one a line."""
    return [
        str(program),
        f"--advertise-address={addresses.NODE}",
        "--bind-address=0.0.0.0",
        "--secure-port=6443",
        "--allow-privileged=true",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--profiling=false",
        "--feature-gates=ImageVolume=true",
        f"--client-ca-file={keys.ca.certificate}",
        f"--tls-cert-file={keys.api_server.certificate}",
        f"--tls-private-key-file={keys.api_server.key}",
        f"--etcd-servers={_ETCD}",
        f"--etcd-cafile={keys.etcd_ca.certificate}",
        f"--etcd-certfile={keys.etcd_client.certificate}",
        f"--etcd-keyfile={keys.etcd_client.key}",
        f"--kubelet-client-certificate={keys.kubelet_client.certificate}",
        f"--kubelet-client-key={keys.kubelet_client.key}",
        f"--kubelet-certificate-authority={keys.ca.certificate}",
        "--kubelet-preferred-address-types=InternalIP,Hostname",
        f"--service-cluster-ip-range={addresses.SERVICES}",
        f"--service-account-issuer=https://{_SERVICE_DOMAIN}",
        f"--service-account-key-file={keys.service_accounts.certificate}",
        f"--service-account-signing-key-file={keys.service_accounts.key}",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--requestheader-client-ca-file={keys.front_proxy_ca.certificate}",
        f"--proxy-client-cert-file={keys.front_proxy.certificate}",
        f"--proxy-client-key-file={keys.front_proxy.key}",
        *configured.read_text(encoding="utf-8").splitlines(),
    ]


def controller_manager(program: Path, keys: Keys) -> list[str]:
    """The controller manager; one node needs no leader election."""
    return [
        *_component(program, keys, "controller-manager"),
        "--use-service-account-credentials=true",
        f"--service-account-private-key-file={keys.service_accounts.key}",
        f"--root-ca-file={keys.ca.certificate}",
        f"--client-ca-file={keys.ca.certificate}",
        f"--requestheader-client-ca-file={keys.front_proxy_ca.certificate}",
        f"--cluster-signing-cert-file={keys.ca.certificate}",
        f"--cluster-signing-key-file={keys.ca.files.key}",
        "--allocate-node-cidrs=true",
        f"--cluster-cidr={addresses.CLUSTER}",
        f"--service-cluster-ip-range={addresses.SERVICES}",
    ]


def scheduler(program: Path, keys: Keys) -> list[str]:
    """The scheduler."""
    return _component(program, keys, "scheduler")


def _component(program: Path, keys: Keys, user: str) -> list[str]:
    own = keys.kubeconfigs[user]
    as_user = [f"--{purpose}kubeconfig={own}" for purpose in ("", "authentication-", "authorization-")]
    return [str(program), *as_user, "--bind-address=127.0.0.1", "--leader-elect=false", "--profiling=false"]


def _kubeconfig(directory: Path, name: str, ca: Authority, user: Credential) -> Path:
    path = directory / f"{name}.kubeconfig"
    path.touch(mode=0o600)
    files = {"ca": ca.certificate, "certificate": user.certificate, "key": user.key}
    encoded = {field: base64.b64encode(file.read_bytes()).decode() for field, file in files.items()}
    return content.write("kubeconfig.yaml", path, **encoded)
