"""Probes that upstream leaves out: what hangs is started anew, and nothing counts as ready that answers nobody."""

from __future__ import annotations

from typing import Any

from .documents import Document, key
from .places import CERT_MANAGER, CNI, ISTIO, KSERVE

Probe = dict[str, Any]


def _http(path: str, port: int) -> Probe:
    return {"httpGet": {"path": path, "port": port}}


def _tcp(port: int) -> Probe:
    return {"tcpSocket": {"port": port}}


# Asked often, so that a deployment does not wait for its turn.
_READY = {"periodSeconds": 2, "failureThreshold": 15}
# Asked seldom and given up late: a busy node must not bring down what runs on it.
_ALIVE = {"initialDelaySeconds": 30, "periodSeconds": 20, "timeoutSeconds": 5, "failureThreshold": 6}

_PROBES: dict[tuple[str, str], dict[str, Probe]] = {
    (f"deployment/{CERT_MANAGER}/cert-manager", "cert-manager-controller"): {
        "readinessProbe": _http("/livez", 9403) | _READY,
    },
    (f"deployment/{CERT_MANAGER}/cert-manager-cainjector", "cert-manager-cainjector"): {
        "readinessProbe": _tcp(9402) | _READY,
        "livenessProbe": _tcp(9402) | _ALIVE,
    },
    # Not /ready: that is about its configuration, and a new start would not mend it.
    (f"deployment/{ISTIO}/istiod", "discovery"): {"livenessProbe": _tcp(15012) | _ALIVE},
    (f"deployment/{ISTIO}/istio-ingressgateway", "istio-proxy"): {
        "readinessProbe": _http("/healthz/ready", 15021) | _READY,
        "livenessProbe": _tcp(15021) | _ALIVE,
    },
    (f"daemonset/{CNI}/istio-cni-node", "install-cni"): {"livenessProbe": _http("/healthz", 8000) | _ALIVE},
    (f"deployment/{KSERVE}/kserve-controller-manager", "kube-rbac-proxy"): {
        "readinessProbe": _tcp(8443) | _READY,
        "livenessProbe": _tcp(8443) | _ALIVE,
    },
}


def probed(document: Document) -> Document:
    """``document`` with the probes that its containers lack; a probe that upstream has stays as it is."""
    workload = key(document)
    if not any(workload == w for w, _ in _PROBES):
        return document
    template = document["spec"]["template"]
    pod = template["spec"]
    containers = [{**_PROBES.get((workload, c["name"]), {}), **c} for c in pod["containers"]]
    spec = {**document["spec"], "template": {**template, "spec": {**pod, "containers": containers}}}
    return {**document, "spec": spec}
