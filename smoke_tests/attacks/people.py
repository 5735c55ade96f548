"""What people and workloads with an account, but without the right, ask of the API server."""

from __future__ import annotations

import json
from dataclasses import dataclass

from smoke_tests.cluster import Document, Identity

from .guard import Guard
from .objects import an_object
from .pods import NAME
from .requests import ApiAttempt, Request, create

_RBAC = frozenset({Guard.RBAC})


BREAK_GLASS = Identity("sealift-smoke", ("sealift:break-glass", "system:masters"))
"""Who makes the controls: an administrator who may also enter the platform's pods."""


@dataclass(frozen=True)
class Ground:
    """What there is to be tried on."""

    namespace: str
    """Where the engineer's models are."""
    pod: Document
    """It conforms, in ``namespace``."""
    model_elsewhere: Document
    """An InferenceService that conforms, in a namespace that is not the engineer's."""
    gateway_pod: str
    """A pod of the ingress gateway in istio-system."""
    node: str


def engineer_attempts(engineer: Identity, ground: Ground) -> list[ApiAttempt]:
    """What an ML engineer must not do beside their models. Each control is the same call by the administrator."""
    namespace, name, node = ground.namespace, ground.gateway_pod, ground.node
    place, container = "istio-system", "istio-proxy"

    def delete(kind: str, which: str, where: str | None = None) -> Request:
        scope = ("-n", where) if where else ()
        return Request(("delete", kind, which, *scope, "--dry-run=server"))

    added = json.dumps({"data": {"f" * 64: "docker.io/library/busybox"}})
    receipt = ("patch", "configmap", "sealift-receipt", "-n", "sealift-system", "--type=merge", "-p", added)
    tried: dict[str, Request] = {
        "An ML engineer makes a bare pod.": create(ground.pod),
        "An ML engineer opens the network to a model namespace.": create(_network_policy(namespace)),
        "An ML engineer changes who may call a model.": create(_authorization_policy(namespace)),
        "An ML engineer binds a role to themselves.": create(_binding(namespace, engineer)),
        "An ML engineer makes a namespace.": create(_namespace()),
        "An ML engineer makes a Secret.": create(_secret(namespace)),
        "An ML engineer removes an admission policy.": delete("validatingadmissionpolicy", "--all"),
        "An ML engineer takes the binding of the admission policies away.": delete(
            "validatingadmissionpolicybinding", "--all"
        ),
        "An ML engineer adds an image to the list of what arrived.": Request((*receipt, "--dry-run=server")),
        "An ML engineer removes the mesh's own policy.": delete("peerauthentication", "default", "istio-system"),
        "An ML engineer makes a model in another namespace.": create(ground.model_elsewhere),
        "An ML engineer runs a command in the control plane.": Request(
            ("exec", "-n", place, name, "-c", container, "--", "pilot-agent", "version")
        ),
        "An ML engineer reads the Secrets of the mesh.": Request(
            ("get", "secrets", "-n", "istio-system", "-o", "name")
        ),
        "An ML engineer reads the Secrets next to the models.": Request(
            ("get", "secrets", "-n", namespace, "-o", "name")
        ),
        "An ML engineer asks for another account's token.": Request(("create", "token", "default", "-n", place)),
        "An ML engineer reaches through the API server into a node.": Request(
            ("get", "--raw", f"/api/v1/nodes/{node}/proxy/pods")
        ),
        "An ML engineer reaches through the API server into a pod.": Request(
            ("get", "--raw", f"/api/v1/namespaces/{place}/pods/{name}:15021/proxy/healthz/ready")
        ),
    }
    return [
        _labelled(engineer, namespace),
        *(ApiAttempt(s, r, r, _RBAC, identity=engineer, control_identity=BREAK_GLASS) for s, r in tried.items()),
    ]


def _labelled(engineer: Identity, namespace: str) -> ApiAttempt:
    """A policy refuses the administrator too: the control is a label that weakens nothing."""

    def label(text: str) -> Request:
        return Request(("label", "namespace", namespace, text, "--overwrite", "--dry-run=server"))

    return ApiAttempt(
        "An ML engineer lowers the Pod Security of a namespace.",
        label("pod-security.kubernetes.io/enforce=privileged"),
        label("example.org/owner=nobody"),
        _RBAC,
        identity=engineer,
        control_identity=BREAK_GLASS,
    )


def workload_attempts(account: Identity, namespace: str) -> list[ApiAttempt]:
    """What the service account of a workload of another namespace must not do in ``namespace``."""
    tried = {
        "A workload's token reads the Secrets of a model namespace.": Request(
            ("get", "secrets", "-n", namespace, "-o", "name")
        ),
        "A workload's token lists the pods of a model namespace.": Request(
            ("get", "pods", "-n", namespace, "-o", "name")
        ),
        "A workload's token reads the list of what arrived.": Request(
            ("get", "configmap", "sealift-receipt", "-n", "sealift-system", "-o", "name")
        ),
        "A workload's token changes a webhook.": Request(
            ("delete", "mutatingwebhookconfiguration", "--all", "--dry-run=server")
        ),
    }
    return [ApiAttempt(s, r, r, _RBAC, identity=account, control_identity=BREAK_GLASS) for s, r in tried.items()]


def _network_policy(namespace: str) -> Document:
    spec = {"podSelector": {}, "ingress": [{}], "egress": [{}], "policyTypes": ["Ingress", "Egress"]}
    return an_object("networking.k8s.io/v1", "NetworkPolicy", namespace, spec)


def _authorization_policy(namespace: str) -> Document:
    source = {"principals": [f"cluster.local/ns/{namespace}/sa/default"]}
    spec = {"action": "ALLOW", "rules": [{"from": [{"source": source}]}]}
    return an_object("security.istio.io/v1", "AuthorizationPolicy", namespace, spec)


def _binding(namespace: str, to: Identity) -> Document:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": NAME, "namespace": namespace},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": to.user}],
    }


def _namespace() -> Document:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAME, "labels": labels}}


def _secret(namespace: str) -> Document:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": NAME, "namespace": namespace}}
