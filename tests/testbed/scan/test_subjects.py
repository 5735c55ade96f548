from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mirror.errors import BadInput
from testbed.scan import subjects

_SECRET = "4dabf18193072939515e22adb298388d"
_UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def document(kind: str = "ConfigMap", name: str = "x", **fields: object) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "a"}, **fields}


def resource(inputs: dict[str, Any], **fields: object) -> dict[str, Any]:
    return {"urn": "urn:x", "type": "kubernetes:core/v1:ConfigMap", "inputs": inputs, **fields}


def written(directory: Path, name: str, data: object) -> Path:
    path = directory / name
    path.write_text(json.dumps(data))
    return path


def pod(name: str, *, owner: str | None = "rs-abc", **metadata: object) -> dict[str, Any]:
    owners = [{"kind": "ReplicaSet", "name": owner, "controller": True}] if owner else []
    made = {"name": name, "namespace": "a", "uid": "1", "ownerReferences": owners, **metadata}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": made, "spec": {}, "status": {"phase": "Running"}}


def test_of_a_stack_the_documents_are_read_as_they_were_handed_to_the_provider(tmp_path: Path) -> None:
    engine = [
        {"urn": "urn:stack", "type": "pulumi:pulumi:Stack"},
        {"urn": "urn:provider", "type": "pulumi:providers:kubernetes", "inputs": {"version": "4"}},
        resource(document(status=None, __defaults=[])),
    ]
    path = written(tmp_path, "dev as applied.json", {"version": 3, "deployment": {"resources": engine}})
    subject = subjects.read(path)
    assert subject.title == "dev as applied"
    assert list(subject.documents) == [document()]


def test_a_resource_that_is_only_waiting_to_be_deleted_is_not_scanned(tmp_path: Path) -> None:
    engine = [resource(document()), resource(document(name="old"), delete=True)]
    path = written(tmp_path, "x.json", {"deployment": {"resources": engine}})
    assert [d["metadata"]["name"] for d in subjects.read(path).documents] == ["x"]


def test_of_a_preview_the_new_states_are_read(tmp_path: Path) -> None:
    steps = [{"op": "create", "newState": resource(document())}, {"op": "delete", "oldState": resource(document())}]
    assert len(subjects.read(written(tmp_path, "x.json", {"steps": steps})).documents) == 1


def test_a_field_that_only_the_update_makes_known_is_refused(tmp_path: Path) -> None:
    steps = [{"newState": resource(document(data={"ca": _UNKNOWN}))}]
    with pytest.raises(BadInput, match="only known after the update"):
        subjects.read(written(tmp_path, "x.json", {"steps": steps}))


def test_a_secret_of_the_state_never_reaches_a_scanner(tmp_path: Path) -> None:
    secret = {_SECRET: "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:abc"}
    engine = [resource(document("Secret", data={"key": secret}))]
    path = written(tmp_path, "x.json", {"deployment": {"resources": engine}})
    assert subjects.read(path).documents[0]["data"] == {"key": "********"}


def test_manifests_are_read_too(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text("apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\n")
    assert [d["kind"] for d in subjects.read(tmp_path / "m.yaml").documents] == ["Namespace"]


@pytest.mark.parametrize("data", [{"kind": "List", "items": []}, {"deployment": {"resources": []}}])
def test_a_file_without_an_object_is_refused(tmp_path: Path, data: object) -> None:
    with pytest.raises(BadInput, match="no Kubernetes object"):
        subjects.read(written(tmp_path, "x.json", data))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="No such file"):
        subjects.read(tmp_path / "none.json")


def test_pods_of_one_deployment_are_one_and_called_after_it() -> None:
    labels = {"pod-template-hash": "abc"}
    found = subjects.as_run([pod("rs-abc-1", labels=labels), pod("rs-abc-2", labels=labels)])
    assert [d["metadata"]["name"] for d in found] == ["rs"]
    assert "status" not in found[0]
    assert "uid" not in found[0]["metadata"]


def test_during_a_rollout_both_makes_are_scanned() -> None:
    old = pod("rs-abc-1", labels={"pod-template-hash": "abc"})
    new = pod("rs-def-1", owner="rs-def", labels={"pod-template-hash": "def"})
    assert [d["metadata"]["name"] for d in subjects.as_run([old, new])] == ["rs", "rs"]


def test_a_pod_of_a_knative_revision_is_called_after_its_configuration() -> None:
    labels = {"serving.knative.dev/revision": "m-00003", "serving.knative.dev/configuration": "m"}
    found = subjects.as_run([pod("m-00003-deployment-x", labels=labels)])
    assert [d["metadata"]["name"] for d in found] == ["m"]


def test_a_pod_without_an_owner_keeps_its_name() -> None:
    assert [d["metadata"]["name"] for d in subjects.as_run([pod("client", owner=None)])] == ["client"]


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_pod_that_has_ended_is_left_out(phase: str) -> None:
    assert subjects.as_run([{**pod("p"), "status": {"phase": phase}}]) == []


def test_a_pod_that_is_going_is_left_out() -> None:
    assert subjects.as_run([pod("p", deletionTimestamp="2026-01-01T00:00:00Z")]) == []


def deployment(replicas: int, **labels: str) -> dict[str, Any]:
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c"}]}}
    metadata = {"name": "m-00002-deployment", "namespace": "a"}
    return {"kind": "Deployment", "metadata": metadata, "spec": {"replicas": replicas, "template": template}}


def test_a_model_at_zero_is_scanned_as_the_pod_that_it_would_run() -> None:
    labels = {"serving.knative.dev/configuration": "m"}
    (found,) = subjects.as_run([deployment(0, **labels)])
    assert (found["kind"], found["metadata"]["name"], found["metadata"]["namespace"]) == ("Pod", "m", "a")
    assert found["spec"] == {"serviceAccountName": "default", "containers": [{"name": "c"}]}
    assert subjects.as_run([deployment(0)])[0]["metadata"]["name"] == "m-00002-deployment"


def test_a_deployment_that_runs_is_scanned_by_its_pods() -> None:
    assert subjects.as_run([deployment(1)]) == []
