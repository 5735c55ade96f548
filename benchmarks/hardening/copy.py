"""The same model server without what hardening puts around it: no sidecar, no policies, a port of its own.

Made from the pod that runs, so that image, arguments, weights and limits are the same; removed afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from smoke_tests.cluster import Cluster, Document
from smoke_tests.environment import Environment, ServedModel
from smoke_tests.predictors import MODEL_SERVER

NAMESPACE = "sealift-load"
HOST = "sealift-load"
PORT = 8080
GATEWAY = {"istio": "ingressgateway"}
"""Labels of the ingress gateway's pods."""
_READY_SECONDS = 300
_LABELS = {"app": "sealift-load"}


@contextmanager
def running(environment: Environment, cluster: Cluster, model: ServedModel) -> Iterator[Document]:
    """A copy of ``model`` (in Standard mode) while it runs; gives its pod."""
    pod = cluster.predictor_pods(model.name, model.namespace)[0]
    try:
        cluster.apply(_namespace())
        cluster.apply(
            _pod(pod), _service(), _grant(model), _route(environment, model), _admitted(environment), _way_out()
        )
        cluster.wait_ready(HOST, NAMESPACE, seconds=_READY_SECONDS)
        yield cluster.get("pod", HOST, "-n", NAMESPACE)
    finally:
        for kind, name, namespace in _ELSEWHERE:
            cluster.ask("delete", kind, name, "-n", namespace.format(model=model), "--ignore-not-found")
        cluster.delete_namespace(NAMESPACE, seconds=_READY_SECONDS)


_ELSEWHERE = (
    ("httproute", HOST, "{model.namespace}"),
    ("authorizationpolicy", HOST, "istio-system"),
    ("networkpolicy", HOST, "istio-system"),
)


def address(pod: Document) -> str:
    """Where the copy's ``pod`` answers in plaintext, as ``address:port``."""
    return f"{pod['status']['podIP']}:{PORT}"


def host(environment: Environment) -> str:
    """The name at which the gateway answers for the copy."""
    return f"{HOST}.{environment.outputs.domain}"


def _namespace() -> Document:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}}


def _pod(pod: Document) -> Document:
    """The model server of ``pod`` alone."""
    server: dict[str, Any] = next(c for c in pod["spec"]["containers"] if c["name"] == MODEL_SERVER)
    # The mesh has pointed the probes at its proxy, which the copy lacks.
    alone = {k: v for k, v in server.items() if not k.endswith("Probe")}
    ready = {"httpGet": {"path": "/health", "port": PORT}, "periodSeconds": 2}
    mounted = {m["name"] for m in server.get("volumeMounts", [])}
    spec = {
        "automountServiceAccountToken": False,
        "securityContext": pod["spec"]["securityContext"],
        "containers": [{**alone, "readinessProbe": ready}],
        "volumes": [v for v in pod["spec"]["volumes"] if v["name"] in mounted],
    }
    return _object("v1", "Pod", spec) | {"metadata": {"name": HOST, "namespace": NAMESPACE, "labels": _LABELS}}


def _service() -> Document:
    port = {"name": "http", "port": 80, "targetPort": PORT}
    return _object("v1", "Service", {"selector": _LABELS, "ports": [port]})


def _grant(model: ServedModel) -> Document:
    source = {"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": model.namespace}
    spec = {"from": [source], "to": [{"group": "", "kind": "Service", "name": HOST}]}
    return _object("gateway.networking.k8s.io/v1beta1", "ReferenceGrant", spec)


def _route(environment: Environment, model: ServedModel) -> Document:
    backend = {"name": HOST, "namespace": NAMESPACE, "port": 80}
    spec = {
        "parentRefs": [{"name": "kserve-ingress-gateway", "namespace": environment.outputs.gateway.namespace}],
        "hostnames": [host(environment)],
        "rules": [{"backendRefs": [backend]}],
    }
    return _object("gateway.networking.k8s.io/v1", "HTTPRoute", spec, model.namespace)


def _admitted(environment: Environment) -> Document:
    """Whoever has a key that the gateway knows."""
    rule = {
        "from": [{"source": {"requestPrincipals": ["*"]}}],
        "to": [{"operation": {"hosts": [host(environment), f"{host(environment)}:*"]}}],
    }
    spec = {"selector": {"matchLabels": GATEWAY}, "action": "ALLOW", "rules": [rule]}
    return _object("security.istio.io/v1", "AuthorizationPolicy", spec, "istio-system")


def _way_out() -> Document:
    target = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}}}
    spec = {
        "podSelector": {"matchLabels": GATEWAY},
        "policyTypes": ["Egress"],
        "egress": [{"to": [target], "ports": [{"protocol": "TCP", "port": PORT}]}],
    }
    return _object("networking.k8s.io/v1", "NetworkPolicy", spec, "istio-system")


def _object(version: str, kind: str, spec: dict[str, Any], namespace: str = NAMESPACE) -> Document:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": HOST, "namespace": namespace}, "spec": spec}
