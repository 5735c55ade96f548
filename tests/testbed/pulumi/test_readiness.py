from __future__ import annotations

from typing import Any

import pytest

from testbed.pulumi.provider.api import ApiError
from testbed.pulumi.provider.readiness import RULES, NeverReady

Object = dict[str, Any]


class Cluster:
    """A reader of fixed answers, by kind; ``missing`` paths answer 404."""

    def __init__(self, objects: dict[str, Object] | None = None, missing: tuple[str, ...] = ()) -> None:
        self.objects = objects or {}
        self.missing = missing

    def get(self, version: str, kind: str, namespace: str | None, name: str) -> Object:
        return self.objects[kind]

    def items(self, version: str, kind: str, namespace: str | None, **query: str) -> list[Object]:
        return []

    def request(self, method: str, path: str) -> object:
        if path.startswith(self.missing) and self.missing:
            raise ApiError(404, b"404 page not found")
        return {}


def unready(group: str, kind: str, obj: Object, cluster: Cluster | None = None) -> str | None:
    return RULES[(group, kind)]({"metadata": {"name": "x", "generation": 2}, **obj}, cluster or Cluster())


DONE = {"observedGeneration": 2}


def test_a_deployment_is_ready_when_every_replica_is_new_and_available() -> None:
    spec = {"replicas": 2}
    status = {**DONE, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}
    assert unready("apps", "Deployment", {"spec": spec, "status": status}) is None
    for worse in ({"availableReplicas": 1}, {"updatedReplicas": 1}, {"replicas": 3}):
        assert unready("apps", "Deployment", {"spec": spec, "status": {**status, **worse}}) is not None


def test_a_status_of_an_earlier_generation_says_nothing() -> None:
    status = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}
    assert (
        unready("apps", "Deployment", {"spec": {}, "status": status}) == "its controller has seen generation 1, not 2"
    )
    assert unready("apps", "DaemonSet", {"spec": {}}) == "its controller has not seen it yet"


def test_a_deployment_of_no_replicas_is_ready_once_seen() -> None:
    assert unready("apps", "Deployment", {"spec": {"replicas": 0}, "status": DONE}) is None


def test_a_daemon_set_is_ready_when_every_node_has_its_pod() -> None:
    status = {**DONE, "desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 2}
    assert unready("apps", "DaemonSet", {"spec": {}, "status": status}) is None
    assert (
        unready("apps", "DaemonSet", {"spec": {}, "status": {**status, "numberAvailable": 1}}) == "1/2 pods available"
    )


def test_a_stateful_set_is_ready_when_its_rollout_is_done() -> None:
    rolling = {**DONE, "readyReplicas": 1, "updatedReplicas": 0, "currentRevision": "a", "updateRevision": "b"}
    assert unready("apps", "StatefulSet", {"spec": {}, "status": rolling}) is not None
    assert unready("apps", "StatefulSet", {"spec": {}, "status": {**rolling, "updatedReplicas": 1}}) is None


def test_a_job_waits_for_completion_and_gives_up_on_failure() -> None:
    def job(*conditions: Object) -> str | None:
        return unready("batch", "Job", {"status": {"conditions": list(conditions)}})

    assert job({"type": "Complete", "status": "True"}) is None
    assert job() == "condition Complete is not reported yet"
    with pytest.raises(NeverReady, match="BackoffLimitExceeded"):
        job({"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"})


def test_a_pod_is_ready_or_has_succeeded_and_a_failed_one_is_given_up() -> None:
    ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    assert unready("", "Pod", {"status": ready}) is None
    assert unready("", "Pod", {"status": {"phase": "Succeeded"}}) is None
    assert unready("", "Pod", {"status": {"phase": "Pending"}}) is not None
    with pytest.raises(NeverReady):
        unready("", "Pod", {"status": {"phase": "Failed"}})


def test_a_namespace_on_its_way_out_is_not_ready() -> None:
    assert unready("", "Namespace", {"status": {"phase": "Terminating"}}) == "its phase is Terminating"
    assert unready("", "Namespace", {"status": {"phase": "Active"}}) is None


@pytest.mark.parametrize(("mode", "ready"), [("WaitForFirstConsumer", True), ("Immediate", False)])
def test_a_pending_claim_is_ready_when_its_class_waits_for_a_consumer(mode: str, ready: bool) -> None:
    cluster = Cluster({"StorageClass": {"volumeBindingMode": mode}})
    claim = {"spec": {"storageClassName": "local"}, "status": {"phase": "Pending"}}
    assert (unready("", "PersistentVolumeClaim", claim, cluster) is None) == ready


def test_a_bound_claim_and_an_available_volume_are_ready() -> None:
    assert unready("", "PersistentVolumeClaim", {"spec": {}, "status": {"phase": "Bound"}}) is None
    assert unready("", "PersistentVolume", {"spec": {}, "status": {"phase": "Available"}}) is None
    assert unready("", "PersistentVolumeClaim", {"spec": {}, "status": {"phase": "Pending"}}) == "its phase is Pending"


def test_an_ingress_is_ready_when_it_has_an_address() -> None:
    assert unready("networking.k8s.io", "Ingress", {"status": {"loadBalancer": {}}}) == "it has no address yet"
    status = {"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]}}
    assert unready("networking.k8s.io", "Ingress", {"status": status}) is None


def definition(*conditions: str) -> Object:
    return {
        "spec": {
            "group": "example.com",
            "names": {"plural": "things"},
            "versions": [{"name": "v1", "served": True}, {"name": "v0", "served": False}],
        },
        "status": {"conditions": [{"type": name, "status": "True"} for name in conditions]},
    }


def test_a_definition_is_ready_when_established_and_served() -> None:
    kind = ("apiextensions.k8s.io", "CustomResourceDefinition")
    established = definition("NamesAccepted", "Established")
    assert unready(*kind, established) is None
    assert unready(*kind, established, Cluster(missing=("/apis/example.com/v1/",))) == "not served yet: v1"
    assert unready(*kind, definition("NamesAccepted")) == "condition Established is not reported yet"
