"""Where a model's server can be called inside the cluster, past the gateway."""

from __future__ import annotations

from dataclasses import dataclass

from mirror.errors import BadInput

from .cluster import Cluster, Document
from .environment import ServedModel

SIDECAR = "istio-proxy"
MODEL_SERVER = "kserve-container"
_QUEUE_PROXY = "queue-proxy"


@dataclass(frozen=True)
class Predictor:
    """One running replica."""

    pod: str
    namespace: str
    address: str
    """IP address of the pod."""
    port: int
    """At which the model server listens in the pod."""
    entrance: int
    """Where the pod takes calls: in Knative mode at queue-proxy, and a NetworkPolicy lets nobody past that."""
    service_account: str
    labels: dict[str, str]

    @property
    def url(self) -> str:
        """Where the models list is, straight at the pod, without a scheme."""
        return f"{self.address}:{self.entrance}/v1/models"


def replica(cluster: Cluster, model: ServedModel) -> Predictor | None:
    """A replica of ``model`` that has an address and is Ready; None when there is none."""
    for pod in cluster.predictor_pods(model.name, model.namespace):
        if _is_ready(pod):
            return Predictor(
                pod=pod["metadata"]["name"],
                namespace=model.namespace,
                address=pod["status"]["podIP"],
                port=_port(pod),
                entrance=_entrance(pod),
                service_account=pod["spec"].get("serviceAccountName", "default"),
                labels=pod["metadata"]["labels"],
            )
    return None


def service_url(cluster: Cluster, model: ServedModel) -> str:
    """The models list by a Service that leads to the model's pods themselves, without a scheme.

    In Knative mode the predictor's Service is only an alias of a gateway; the revision's private Service leads to its
    pods. A headless Service translates no port, so there the pod's port is named.
    """
    service = _private_service(cluster, model) if model.mode == "Knative" else _predictor_service(cluster, model)
    port = service["spec"]["ports"][0]
    headless = service["spec"].get("clusterIP") == "None"
    number = port.get("targetPort", port["port"]) if headless else port["port"]
    return f"{service['metadata']['name']}.{model.namespace}.svc.cluster.local:{number}/v1/models"


def _predictor_service(cluster: Cluster, model: ServedModel) -> Document:
    return cluster.get("service", model.service_name, "-n", model.namespace)


def _private_service(cluster: Cluster, model: ServedModel) -> Document:
    """Of the newest revision: those of older ones have no pods."""
    service = model.service_name
    labels = f"networking.internal.knative.dev/serviceType=Private,serving.knative.dev/service={service}"
    found = cluster.items("services", "-n", model.namespace, "-l", labels)
    if not found:
        raise BadInput(f"model {model.namespace}/{model.name}", "no revision of it has a Service", "See its events.")
    return max(found, key=lambda s: str(s["metadata"]["creationTimestamp"]))


def _is_ready(pod: Document) -> bool:
    conditions = pod["status"].get("conditions") or []
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _entrance(pod: Document) -> int:
    proxies = [c for c in pod["spec"]["containers"] if c["name"] == _QUEUE_PROXY]
    ports = [p["containerPort"] for c in proxies for p in c["ports"] if p["name"] == "queue-port"]
    return int(ports[0]) if ports else _port(pod)


def _port(pod: Document) -> int:
    server = next(c for c in pod["spec"]["containers"] if c["name"] == MODEL_SERVER)
    return int(server["ports"][0]["containerPort"])
