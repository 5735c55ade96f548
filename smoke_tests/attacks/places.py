"""Addresses of what runs, as an attacker would find them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from smoke_tests import predictors
from smoke_tests.cluster import Cluster, node_address
from smoke_tests.environment import Environment, ServedModel

MESH, KNATIVE = "istio-system", "knative-serving"


@dataclass(frozen=True)
class Places:
    """Services as ``host:port``, pods as addresses. What a stack does not have is None."""

    node: str
    istiod: str
    gateway_pod: str
    model_service: str
    model_host: str
    """The name that the gateway knows the model by."""
    model_pod: str
    """``address:port`` of the model server."""
    model_address: str
    activator: str | None = None
    knative_service: str | None = None
    knative_host: str | None = None
    """The name inside the cluster of a model in Knative mode."""
    knative_namespace: str = ""
    knative_revision: str = ""


def found(environment: Environment, cluster: Cluster) -> Places:
    """Look them up; every model that is asked for runs at this moment."""
    models = environment.outputs.models
    standard = next((m for m in models if m.mode == "Standard"), models[0])
    replica = predictors.replica(cluster, standard)
    assert replica, f"{standard.name} has no Ready replica"
    places = Places(
        node=node_address(cluster.items("nodes")[0]),
        istiod=_address(cluster, MESH, "app=istiod"),
        gateway_pod=_address(cluster, MESH, "istio=ingressgateway"),
        model_service=predictors.service_url(cluster, standard).removesuffix("/v1/models"),
        model_host=standard.host,
        model_pod=f"{replica.address}:{replica.port}",
        model_address=replica.address,
    )
    knative = next((m for m in models if m.mode == "Knative"), None)
    return _with_knative(places, cluster, knative) if knative else places


def _with_knative(places: Places, cluster: Cluster, model: ServedModel) -> Places:
    service = cluster.get("services.serving.knative.dev", model.service_name, "-n", model.namespace)
    return replace(
        places,
        activator=_address(cluster, KNATIVE, "app=activator"),
        knative_service=predictors.service_url(cluster, model).removesuffix("/v1/models"),
        knative_host=f"{model.service_name}.{model.namespace}.svc.cluster.local",
        knative_namespace=model.namespace,
        knative_revision=service["status"]["latestReadyRevisionName"],
    )


def _address(cluster: Cluster, namespace: str, selector: str) -> str:
    pods = cluster.items("pods", "-n", namespace, "-l", selector)
    return str(next(p["status"]["podIP"] for p in pods if p["status"].get("podIP")))
