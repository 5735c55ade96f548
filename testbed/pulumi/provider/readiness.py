"""Stand-in for pulumi-resource-kubernetes, in no registry: when an object of a built-in kind is ready.

A rule answers None when the object is ready, or a sentence why it is not; NeverReady when waiting is of no use.
Kinds without a rule are ready when they exist, as with the official provider.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from testbed.pulumi.provider import conditions
from testbed.pulumi.provider.api import ApiError
from testbed.pulumi.provider.properties import Json

Object = dict[str, Any]


class Reader(Protocol):
    """What a rule may ask an API server."""

    def get(self, version: str, kind: str, namespace: str | None, name: str) -> Object:
        """Read one object."""

    def items(self, version: str, kind: str, namespace: str | None, **query: str) -> list[Object]:
        """Read the objects of a collection."""

    def request(self, method: str, path: str) -> Json:
        """Send any request."""


Rule = Callable[[Object, Reader], str | None]


class NeverReady(Exception):
    """The object has failed for good."""


def deployment(obj: Object, api: Reader) -> str | None:
    """Every replica is of the current template and available."""
    status, wanted = obj.get("status") or {}, obj["spec"].get("replicas", 1)
    if (reason := _not_seen(obj)) is not None:
        return reason
    updated, available = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
    if updated < wanted or status.get("replicas", 0) > updated or available < wanted:
        progress = conditions.by_type(obj).get("Progressing", {})
        return f"{available}/{wanted} replicas available, {updated} updated {progress.get('message', '')}".rstrip()
    return None


def stateful_set(obj: Object, api: Reader) -> str | None:
    """Every replica is ready and of the current revision."""
    status, wanted = obj.get("status") or {}, obj["spec"].get("replicas", 1)
    if (reason := _not_seen(obj)) is not None:
        return reason
    ready, updated = status.get("readyReplicas", 0), status.get("updatedReplicas", 0)
    rolling = status.get("updateRevision") != status.get("currentRevision")
    if ready < wanted or (rolling and updated < wanted):
        return f"{ready}/{wanted} replicas ready, {updated} updated"
    return None


def daemon_set(obj: Object, api: Reader) -> str | None:
    """Every node that should run a pod runs one of the current template, available."""
    status = obj.get("status") or {}
    if (reason := _not_seen(obj)) is not None:
        return reason
    wanted, available = status.get("desiredNumberScheduled", 0), status.get("numberAvailable", 0)
    if status.get("updatedNumberScheduled", 0) < wanted or available < wanted:
        return f"{available}/{wanted} pods available"
    return None


def job(obj: Object, api: Reader) -> str | None:
    """The job is complete; a failed one never will be."""
    failed = conditions.by_type(obj).get("Failed", {})
    if failed.get("status") == "True":
        raise NeverReady(f"the job failed: {failed.get('reason')}: {failed.get('message')}")
    return conditions.unmet(obj, "Complete")


def pod(obj: Object, api: Reader) -> str | None:
    """The pod is ready or has succeeded."""
    phase = (obj.get("status") or {}).get("phase")
    if phase == "Failed":
        raise NeverReady("the pod failed")
    return None if phase == "Succeeded" else conditions.unmet(obj, "Ready")


def namespace(obj: Object, api: Reader) -> str | None:
    """The namespace is active, so not on its way out."""
    phase = (obj.get("status") or {}).get("phase")
    return None if phase == "Active" else f"its phase is {phase}"


def persistent_volume(obj: Object, api: Reader) -> str | None:
    """The volume is available or bound."""
    phase = (obj.get("status") or {}).get("phase")
    return None if phase in ("Available", "Bound") else f"its phase is {phase}"


def persistent_volume_claim(obj: Object, api: Reader) -> str | None:
    """The claim is bound, or waits for its first consumer because its storage class says so."""
    phase = (obj.get("status") or {}).get("phase")
    if phase == "Bound" or (phase == "Pending" and _waits_for_consumer(obj, api)):
        return None
    return f"its phase is {phase}"


def ingress(obj: Object, api: Reader) -> str | None:
    """The ingress controller has published an address."""
    return _no_address(obj)


def load_balancer(obj: Object) -> str | None:
    """A Service of type LoadBalancer has an address; others need none."""
    return _no_address(obj) if obj["spec"].get("type") == "LoadBalancer" else None


def custom_resource_definition(obj: Object, api: Reader) -> str | None:
    """The definition is established and its versions are served, which comes a moment later."""
    unready = conditions.unmet(obj, "NamesAccepted") or conditions.unmet(obj, "Established")
    if unready is not None:
        return unready
    spec = obj["spec"]
    versions = [version["name"] for version in spec["versions"] if version.get("served")]
    missing = [name for name in versions if not _is_served(api, spec["group"], name, spec["names"]["plural"])]
    return f"not served yet: {', '.join(missing)}" if missing else None


RULES: dict[tuple[str, str], Rule] = {
    ("apps", "Deployment"): deployment,
    ("apps", "StatefulSet"): stateful_set,
    ("apps", "DaemonSet"): daemon_set,
    ("batch", "Job"): job,
    ("", "Pod"): pod,
    ("", "Namespace"): namespace,
    ("", "PersistentVolume"): persistent_volume,
    ("", "PersistentVolumeClaim"): persistent_volume_claim,
    ("networking.k8s.io", "Ingress"): ingress,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): custom_resource_definition,
}


def _not_seen(obj: Object) -> str | None:
    """As ``conditions.unobserved``, for controllers that always report a generation."""
    if (obj.get("status") or {}).get("observedGeneration") is None:
        return "its controller has not seen it yet"
    return conditions.unobserved(obj)


def _no_address(obj: Object) -> str | None:
    addresses = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress")
    return None if addresses else "it has no address yet"


def _waits_for_consumer(claim: Object, api: Reader) -> bool:
    name = claim["spec"].get("storageClassName")
    if not name:
        return False
    storage_class = api.get("storage.k8s.io/v1", "StorageClass", None, name)
    return storage_class.get("volumeBindingMode") == "WaitForFirstConsumer"


def _is_served(api: Reader, group: str, version: str, plural: str) -> bool:
    try:
        api.request("GET", f"/apis/{group}/{version}/{plural}?limit=1")
    except ApiError as error:
        # A conversion webhook that is not there yet answers 500: that is not the definition's own readiness.
        return error.status != 404
    return True
