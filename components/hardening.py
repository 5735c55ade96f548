"""What upstream pods lack for Pod Security 'restricted', and more than it asks for, added by one rule to every one.

Source of the rule: Kubernetes' Pod Security Standards, profile restricted. Fields that upstream sets are kept, so a
pod that needs more than restricted is refused by its namespace instead of being weakened in silence.
"""

from __future__ import annotations

from typing import Any

from mirror.text import merged

from .documents import Document, key
from .places import CERT_MANAGER, CNI, ISTIO, KNATIVE, KSERVE
from .priorities import PLATFORM

_WORKLOADS = frozenset({"Deployment", "DaemonSet", "StatefulSet", "ReplicaSet", "Job"})
# The containers that speak to the API server. No other one, no proxy beside them either, gets a token.
_API_CLIENTS: dict[str, tuple[str, ...]] = {
    f"deployment/{CERT_MANAGER}/cert-manager": ("cert-manager-controller",),
    f"deployment/{CERT_MANAGER}/cert-manager-cainjector": ("cert-manager-cainjector",),
    f"deployment/{CERT_MANAGER}/cert-manager-webhook": ("cert-manager-webhook",),
    f"daemonset/{CNI}/istio-cni-node": ("install-cni",),
    f"deployment/{ISTIO}/istiod": ("discovery",),
    f"deployment/{KNATIVE}/activator": ("activator",),
    f"deployment/{KNATIVE}/autoscaler": ("autoscaler",),
    f"deployment/{KNATIVE}/controller": ("controller",),
    f"deployment/{KNATIVE}/webhook": ("webhook",),
    f"deployment/{KNATIVE}/net-istio-controller": ("controller",),
    f"deployment/{KNATIVE}/net-istio-webhook": ("webhook",),
    f"deployment/{KSERVE}/kserve-controller-manager": ("manager", "kube-rbac-proxy"),
}
_USER = 65532
_TOKEN = "api-server-token"  # noqa: S105 - the name of a volume
_NAMESPACE = {"apiVersion": "v1", "fieldPath": "metadata.namespace"}
_TOKEN_SECONDS = 3607
"""As the API server's own: the kubelet renews it before it ends."""


def hardened(document: Document, *, restricted: bool = True) -> Document:
    """``document``, and if it has a pod template, with what 'restricted' asks for where upstream says nothing.

    ``restricted`` is False for the one workload that works on the node itself; the rest holds for it too.
    """
    if document["kind"] == "ServiceAccount":
        return {**document, "automountServiceAccountToken": False}
    if document["kind"] not in _WORKLOADS:
        return document
    template = document["spec"]["template"]
    pod = _pod(template["spec"], restricted=restricted, api_clients=_API_CLIENTS.get(key(document), ()))
    spec = {**document["spec"], "template": {**template, "spec": pod}}
    return {**document, "spec": spec}


def _pod(spec: dict[str, Any], *, restricted: bool, api_clients: tuple[str, ...]) -> dict[str, Any]:
    security: dict[str, Any] = {"seccompProfile": {"type": "RuntimeDefault"}}
    if restricted:
        security["runAsNonRoot"] = True
    if restricted and api_clients:
        # High enough to be nobody on the node. The gateway is a proxy, whose user Istio sets.
        security |= {"runAsUser": _USER, "runAsGroup": _USER}
    result: dict[str, Any] = {
        "priorityClassName": PLATFORM,
        **spec,
        "securityContext": {**security, **spec.get("securityContext", {})},
        "automountServiceAccountToken": False,
    }
    for field in ("containers", "initContainers"):
        if spec.get(field):
            result[field] = [_container(c, restricted=restricted, token=c["name"] in api_clients) for c in spec[field]]
    if api_clients:
        result["volumes"] = [*spec.get("volumes", []), token_volume()]
    return result


def _container(container: dict[str, Any], *, restricted: bool, token: bool) -> dict[str, Any]:
    security: dict[str, Any] = {"readOnlyRootFilesystem": True}
    if restricted:
        security |= {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    mounts = list(container.get("volumeMounts", []))
    if token:
        mounts.append({"name": _TOKEN, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": True})
    # Images are named by digest: pulling again cannot change them, and a restart must not need the registry.
    added: dict[str, Any] = {"imagePullPolicy": "IfNotPresent"} | ({"volumeMounts": mounts} if mounts else {})
    return merged({**container, **added}, {"securityContext": {**security, **container.get("securityContext", {})}})


def token_volume() -> dict[str, Any]:
    """What Kubernetes mounts into every container of a pod by itself, as a volume that only named ones mount."""
    sources: list[dict[str, Any]] = [
        {"serviceAccountToken": {"path": "token", "expirationSeconds": _TOKEN_SECONDS}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": _NAMESPACE}]}},
    ]
    return {"name": _TOKEN, "projected": {"sources": sources}}
