"""The attempts, made for what runs: namespaces, models, images and pods of this environment."""

from __future__ import annotations

from smoke_tests import probes
from smoke_tests.cluster import Cluster, Identity, node_address
from smoke_tests.environment import Environment
from smoke_tests.probes import STRANGER

from . import model_server, objects, people, pods
from .images import Images
from .model_server import ServerAttempt
from .places import MESH
from .requests import ApiAttempt


def api_attempts(environment: Environment, cluster: Cluster) -> list[ApiAttempt]:
    """Against the API server: as the administrator, as an ML engineer, and with a workload's account."""
    namespace, image = environment.outputs.models[0].namespace, environment.probe_image
    images = Images.of(environment.receipt, image)
    weights, runtime = environment.receipt.models[0].mirrored, environment.receipt.runtimes[0].name
    account = Identity(
        f"system:serviceaccount:{probes.NAMESPACE}:{STRANGER.name}",
        ("system:serviceaccounts", f"system:serviceaccounts:{probes.NAMESPACE}", "system:authenticated"),
    )
    listed = pods.attempts(namespace, image, images)
    listed += objects.attempts(namespace, weights, runtime, image, images)
    listed += people.workload_attempts(account, namespace)
    for group in environment.outputs.engineers[:1]:
        engineer = Identity("sealift-smoke-engineer", (group.group, "system:authenticated"))
        mine = group.namespaces[0]
        ground = people.Ground(
            namespace=mine,
            pod=probes.pod(mine, pods.NAME, image, identity="default", mesh=True),
            model_elsewhere=objects.inference_service("default", f"oci+native://{weights}", runtime),
            gateway_pod=cluster.items("pods", "-n", MESH, "-l", "istio=ingressgateway")[0]["metadata"]["name"],
            node=cluster.items("nodes")[0]["metadata"]["name"],
        )
        listed += people.engineer_attempts(engineer, ground)
    return listed


def server_attempts(environment: Environment, cluster: Cluster) -> list[ServerAttempt]:
    """By a model server that was taken over."""
    api_server = cluster.get("service", "kubernetes", "-n", "default")["spec"]["clusterIP"]
    node = node_address(cluster.items("nodes")[0])
    istiod = cluster.items("pods", "-n", MESH, "-l", "app=istiod")[0]["status"]["podIP"]
    return model_server.attempts(api_server, environment.receipt.registry, node, istiod)
