"""Client pods in a namespace of their own: two in the mesh with an identity each, one that has no sidecar.

All conform to Pod Security restricted. They share one namespace, so that a NetworkPolicy which lets the known client
in lets the others in as well: what stops those is then the mesh.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from testinfra.host import Host

from mirror.errors import BadInput

from .cluster import Cluster, Document

NAMESPACE = "sealift-smoke"
CONTAINER = "client"
RESTRICTED: Document = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
"""What every container of the platform and of the models is held to."""
_LABEL = "app.kubernetes.io/managed-by"
_OWNER = "sealift-smoke"
_READY_SECONDS = 180
_GONE_SECONDS = 120


@dataclass(frozen=True)
class Probe:
    """A client pod, with a ServiceAccount of the same name. ``mesh``: with a sidecar."""

    name: str
    mesh: bool

    @property
    def source(self) -> str:
        """``namespace/pod``: how an egress log names it, and a stack a caller."""
        return f"{NAMESPACE}/{self.name}"

    def host(self, cluster: Cluster) -> Host:
        """The client container, for commands."""
        return cluster.host(self.name, NAMESPACE, CONTAINER)


CLIENT = Probe("client", mesh=True)
"""A stack may name this one among a model's callers: ``sealift-smoke/client``."""
STRANGER = Probe("stranger", mesh=True)
"""Nobody should name this one."""
PLAIN = Probe("plain", mesh=False)
"""It has no certificate to show."""
PROBES = (CLIENT, STRANGER, PLAIN)


@contextmanager
def running(cluster: Cluster, image: str) -> Iterator[None]:
    """All probes while they run: made Ready on the way in, removed with their namespace on the way out.

    A namespace that a broken-off run left behind is replaced; one of that name that is not ours is refused (BadInput).
    """
    _clear(cluster)
    try:
        cluster.apply(namespace())
        cluster.apply(*(service_account(p) for p in PROBES))
        cluster.apply(*(pod(NAMESPACE, p.name, image, identity=p.name, mesh=p.mesh) for p in PROBES))
        for probe in PROBES:
            cluster.wait_ready(probe.name, NAMESPACE, seconds=_READY_SECONDS)
        yield
    finally:
        cluster.delete_namespace(NAMESPACE, seconds=_GONE_SECONDS)


def namespace() -> Document:
    """The probes' namespace: restricted, and in the mesh."""
    labels = {_LABEL: _OWNER, "pod-security.kubernetes.io/enforce": "restricted", "istio-injection": "enabled"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}}


def service_account(probe: Probe) -> Document:
    """A probe's identity. Its token is not mounted: the probe needs no API."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": probe.name, "namespace": NAMESPACE},
        "automountServiceAccountToken": False,
    }


def restricted_container(image: str) -> Document:
    """What a container must say of itself for Pod Security's level restricted and the platform's own rules."""
    return {
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "securityContext": {**RESTRICTED, "runAsUser": 65532, "runAsGroup": 65532},
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"cpu": "500m", "memory": "64Mi"}},
    }


def pod(where: str, name: str, image: str, *, identity: str, mesh: bool = False, privileged: bool = False) -> Document:
    """A client pod that waits for commands; ``privileged`` is the one thing that Pod Security must refuse."""
    container = {**restricted_container(image), "name": CONTAINER, "command": ["sleep", "86400"]}
    if privileged:
        container["securityContext"] |= {"privileged": True, "allowPrivilegeEscalation": True}
    labels = {"app": name, _LABEL: _OWNER, "sidecar.istio.io/inject": str(mesh).lower()}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": where, "labels": labels},
        "spec": {
            "serviceAccountName": identity,
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 1,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [container],
        },
    }


def _clear(cluster: Cluster) -> None:
    if not cluster.exists("namespace", NAMESPACE):
        return
    labels = cluster.get("namespace", NAMESPACE)["metadata"].get("labels", {})
    if labels.get(_LABEL) != _OWNER:
        raise BadInput(f"namespace {NAMESPACE}", "it exists and is not the smoke test's", "Remove or rename it.")
    cluster.delete_namespace(NAMESPACE, seconds=_GONE_SECONDS)
