"""What a cluster can do with models and how it protects what it holds, asked before anything is deployed."""

from __future__ import annotations

import re
from collections.abc import Collection
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .errors import BadInput, ChecksFailed, WrongCluster
from .protection import Protection, protections
from .record import Record

if TYPE_CHECKING:
    from kubernetes.client import ApiClient, V1Node

NATIVE_CONTAINERD = (2, 2)
"""The first containerd that mounts a sub-path of an image volume, which oci+native:// needs."""
DEFAULT_ON = (1, 35)
"""The Kubernetes version from which ImageVolume is on unless it is switched off."""

Delivery = Literal["oci+native", "storage-initializer"]


class Node(Record, frozen=True, kw_only=True):
    """One node as it describes itself."""

    name: str
    runtime: str
    """``containerRuntimeVersion``, such as ``containerd://2.4.2``."""
    image_volume: bool | None
    """Whether its kubelet has the feature on; None when it does not say."""


class Cluster(Record, frozen=True, kw_only=True):
    """What the cluster answered."""

    version: str
    """``gitVersion`` of the API server, such as ``v1.34.4``."""
    image_volume: bool | None
    """Whether the API server has the feature ImageVolume on; None when it does not say."""
    nodes: list[Node]
    protections: list[Protection]
    """What it says of how it protects what it holds."""


class Verdict(Record, frozen=True, kw_only=True):
    """Which way of delivering models the cluster can do, and why not the better one."""

    cluster: Cluster
    delivery: Delivery
    reasons: list[str]
    """What stands against oci+native; empty when nothing does."""


def judge(cluster: Cluster) -> Verdict:
    """``oci+native`` when the API server and every node can mount a sub-path of an image; else the other way."""
    reasons = []
    if not _feature(cluster.image_volume, cluster.version):
        reasons.append(f"API server {cluster.version}: feature gate ImageVolume is off")
    if not cluster.nodes:
        reasons.append("it has no nodes")
    for node in cluster.nodes:
        if not _feature(node.image_volume, cluster.version):
            reasons.append(f"node {node.name}: the kubelet's feature gate ImageVolume is off")
        if not _mounts_subpaths(node.runtime):
            wanted = ".".join(map(str, NATIVE_CONTAINERD))
            reasons.append(f"node {node.name}: {node.runtime} is not known to do it, containerd {wanted} is")
    return Verdict(cluster=cluster, delivery="storage-initializer" if reasons else "oci+native", reasons=reasons)


def ask(kubeconfig: Path, context: str | None = None) -> Cluster:
    """Ask the cluster that ``kubeconfig`` reaches; raises BadInput (no such cluster in it) or WrongCluster (no answer).

    Needs ``get`` on nodes and on /metrics; without ``nodes/proxy`` the kubelets' own gates are taken from the version.
    """
    from kubernetes import client, config
    from urllib3.exceptions import HTTPError

    try:
        api = config.new_client_from_config(str(kubeconfig), context=context)  # type: ignore[no-untyped-call]
    except (config.ConfigException, OSError) as e:
        raise BadInput(str(kubeconfig), str(e), "Give a kubeconfig, and a --context that it holds.") from e
    with api:
        api.configuration.retries = False
        core = client.CoreV1Api(api)
        try:
            version = client.VersionApi(api).get_code().git_version
            metrics = _metrics(api, "/metrics")
            nodes = [_node(api, n) for n in core.list_node().items]
        except (client.ApiException, HTTPError) as e:
            why = getattr(e, "reason", None) or e
            raise WrongCluster(
                str(kubeconfig), f"the cluster does not answer: {why}", "Give one that reaches it and may get nodes."
            ) from e
        found = protections(metrics, _nameless(api))
    return Cluster(version=version, image_volume=feature(metrics), nodes=nodes, protections=found)


def guarded(cluster: Cluster, accepted: Collection[str] = ()) -> None:
    """Raise ChecksFailed for protections that are known not to hold, but for the ``accepted`` ones, by name."""
    if lacking := [p for p in cluster.protections if p.held == "no" and p.name not in accepted]:
        raise ChecksFailed(
            f"API server {cluster.version}",
            "; ".join(f"{p.name}: {p.why}" for p in lacking),
            "Mend it; or go on without, and say so: " + " ".join(f"--without {p.name}" for p in lacking),
        )


def feature(metrics: str | None, name: str = "ImageVolume") -> bool | None:
    """Whether ``kubernetes_feature_enabled`` says that ``name`` is on; None when it says nothing of it."""
    found = re.search(rf'^kubernetes_feature_enabled{{name="{name}",[^}}]*}} (\d)', metrics or "", re.MULTILINE)
    return found.group(1) == "1" if found else None


def _metrics(api: ApiClient, path: str) -> str | None:
    """The metrics at ``path``, or None when this account may not read them.

    The generated client has no method for /metrics, so this asks through the client's own connection pool.
    """
    headers = {}
    for scheme in api.configuration.auth_settings().values():
        if scheme["in"] == "header" and scheme["value"]:
            headers[scheme["key"]] = scheme["value"]
    answer = api.rest_client.pool_manager.request("GET", f"{api.configuration.host}{path}", headers=headers)
    return answer.data.decode() if answer.status == HTTPStatus.OK else None


def _nameless(api: ApiClient) -> int | None:
    """The status of GET /version for a caller who shows no credential; None when there is no answer."""
    from urllib3 import PoolManager
    from urllib3.exceptions import HTTPError

    settings = api.configuration
    checked = "CERT_REQUIRED" if settings.verify_ssl else "CERT_NONE"
    with PoolManager(ca_certs=settings.ssl_ca_cert, cert_reqs=checked, retries=False, timeout=10) as pool:
        try:
            return pool.request("GET", f"{settings.host}/version").status
        except HTTPError:
            return None


def _node(api: ApiClient, node: V1Node) -> Node:
    described = api.sanitize_for_serialization(node)  # type: ignore[no-untyped-call]
    name = described["metadata"]["name"]
    runtime = described.get("status", {}).get("nodeInfo", {}).get("containerRuntimeVersion", "unknown")
    gate = feature(_metrics(api, f"/api/v1/nodes/{name}/proxy/metrics"))
    return Node(name=name, runtime=runtime, image_volume=gate)


def _feature(said: bool | None, version: str) -> bool:
    return said if said is not None else _numbers(version) >= DEFAULT_ON


def _mounts_subpaths(runtime: str) -> bool:
    engine, _, version = runtime.partition("://")
    return engine == "containerd" and _numbers(version) >= NATIVE_CONTAINERD


def _numbers(version: str) -> tuple[int, int]:
    found = re.match(r"v?(\d+)\.(\d+)", version)
    return (int(found.group(1)), int(found.group(2))) if found else (0, 0)
