"""Who may open a connection to whom, as data: every flow of the platform with its ports and its reason.

Everything that is not here is refused, both ways, in every namespace that the stack makes. Kubelet probes need no flow:
a pod is always reached from its own node (NetworkPolicy, kubernetes.io).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .places import CERT_MANAGER, CNI, ISTIO, KNATIVE, KSERVE

HTTPS = 443
ISTIOD_XDS = 15012
QUEUE_PROXY = 8012
"""Where the activator, and Knative's queue-proxy in a model's pod, take requests."""
MODEL_SERVER = 8080
AUTOSCALING_METRICS = 9090


@dataclass(frozen=True)
class Pods:
    """Pods of one namespace: all, or those whose label ``key`` has one of ``values``."""

    namespace: str
    key: str = ""
    values: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    """Only these of a flow's ports lead there; empty: all of them."""

    def __str__(self) -> str:
        """As a table names them."""
        return f"{self.namespace}: {', '.join(self.values) or 'all pods'}"


@dataclass(frozen=True)
class Mesh:
    """Pods of every namespace that is in the mesh, the stack's or not."""

    ports: tuple[int, ...] = ()

    def __str__(self) -> str:
        """As a table names them."""
        return "every namespace in the mesh"


@dataclass(frozen=True)
class Addresses:
    """Addresses that are no pods': ``blocks`` in CIDR notation."""

    name: str
    blocks: tuple[str, ...]
    ports: tuple[int, ...] = ()

    def __str__(self) -> str:
        """As a table names them."""
        return self.name


@dataclass(frozen=True)
class Anybody:
    """Whoever can reach the place at all."""

    ports: tuple[int, ...] = ()

    def __str__(self) -> str:
        """As a table names them."""
        return "anybody"


Peer = Pods | Mesh | Addresses | Anybody


@dataclass(frozen=True)
class Flow:
    """Connections from each of ``sources`` to each of ``targets`` on ``ports``. ``name`` is unique."""

    name: str
    sources: tuple[Peer, ...]
    targets: tuple[Peer, ...]
    ports: tuple[int, ...]
    reason: str
    protocols: tuple[str, ...] = ("TCP",)


@dataclass(frozen=True)
class Surroundings:
    """What lies around the platform and is reached from it, or reaches it."""

    api_server: tuple[Addresses, ...]
    """Where pods reach the API server, each with its ports: its own addresses, and those of its Service."""
    webhook_callers: tuple[Peer, ...]
    """From where the API server calls admission webhooks."""
    dns: tuple[Peer, ...] = (Pods("kube-system", "k8s-app", ("kube-dns",)),)


GATEWAY = Pods(ISTIO, "istio", ("ingressgateway",))
ISTIOD = Pods(ISTIO, "app", ("istiod",))
ACTIVATOR = Pods(KNATIVE, "app", ("activator",))
AUTOSCALER = Pods(KNATIVE, "app", ("autoscaler",))
_KNATIVES_PROXIES = Pods(KNATIVE, "app", ("activator", "autoscaler"))
_NET_ISTIO = Pods(KNATIVE, "app", ("net-istio-controller",))


def platform_flows(around: Surroundings, tenants: Sequence[str]) -> list[Flow]:
    """The flows that the platform itself needs; ``tenants`` are the namespaces of models."""
    models = tuple(Pods(t) for t in tenants)
    in_mesh = (GATEWAY, _KNATIVES_PROXIES, *models)
    watchers = (Pods(CERT_MANAGER), Pods(CNI), ISTIOD, Pods(KNATIVE), Pods(KSERVE))
    return [
        Flow(
            "dns",
            in_mesh,
            around.dns,
            (53,),
            "Proxies find istiod, and the activator the autoscaler, by name.",
            ("UDP", "TCP"),
        ),
        Flow("api-server", watchers, around.api_server, (6443,), "Controllers watch and write Kubernetes objects."),
        *_webhooks(around.webhook_callers),
        Flow(
            "istiod",
            (*in_mesh, Mesh()),
            (ISTIOD,),
            (ISTIOD_XDS,),
            "Proxies get their certificate and their configuration, over TLS.",
        ),
        Flow("clients", (Anybody(),), (GATEWAY,), (HTTPS,), "The one way in from outside: HTTPS."),
        Flow(
            "gateway-to-activator",
            (GATEWAY,),
            (ACTIVATOR,),
            (QUEUE_PROXY,),
            "A request for a model without a replica waits in the activator.",
        ),
        Flow(
            "gateway-to-models",
            (GATEWAY,),
            models,
            (MODEL_SERVER, QUEUE_PROXY),
            "Requests reach the model server in Standard mode, queue-proxy in Knative mode.",
        ),
        Flow(
            "activator-to-models",
            (ACTIVATOR,),
            models,
            (QUEUE_PROXY,),
            "The activator probes a replica and hands the waiting requests over.",
        ),
        Flow(
            "autoscaler-to-models",
            (AUTOSCALER,),
            models,
            (AUTOSCALING_METRICS,),
            "The autoscaler reads from queue-proxy how many requests are under way.",
        ),
        Flow(
            "to-autoscaler",
            (_KNATIVES_PROXIES,),
            (AUTOSCALER,),
            (8080,),
            "The activator reports waiting requests; autoscalers pass reports on to the one that leads.",
        ),
        Flow(
            "autoscaler-to-activator",
            (AUTOSCALER,),
            (ACTIVATOR,),
            (QUEUE_PROXY,),
            "Before it takes the last replica away, the autoscaler asks whether the activator is in the way.",
        ),
        Flow(
            "net-istio-to-gateway",
            (_NET_ISTIO,),
            (GATEWAY,),
            (HTTPS,),
            "A route is ready once each gateway has answered a probe for it.",
        ),
    ]


def _webhooks(callers: tuple[Peer, ...]) -> list[Flow]:
    answering = [
        ("cert-manager", Pods(CERT_MANAGER, "app.kubernetes.io/name", ("webhook",)), 10250),
        ("istiod", ISTIOD, 15017),
        ("knative", Pods(KNATIVE, "app", ("webhook", "net-istio-webhook")), 8443),
        ("kserve", Pods(KSERVE, "control-plane", ("kserve-controller-manager",)), 9443),
    ]
    return [
        Flow(f"{name}-webhook", callers, (pods,), (port,), "The API server, and it alone, asks the admission webhook.")
        for name, pods, port in answering
    ]


def caller_flow(model: Pods, namespaces: Sequence[str], port: int, *, through_activator: bool) -> Flow:
    """From ``namespaces`` to the pods of one model, past the gateway; the activator stands in for one without pods."""
    (name,) = model.values
    targets = (model, ACTIVATOR) if through_activator else (model,)
    reason = f"The stack names callers of model {name} there; who of a namespace may call is for the mesh to say."
    return Flow(f"callers-of-{model.namespace}-{name}", tuple(map(Pods, namespaces)), targets, (port,), reason)
