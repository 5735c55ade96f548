from __future__ import annotations

from typing import Any

from testbed.pulumi.provider.ownership import created_by_post, manager_for, takeover

Object = dict[str, Any]


def entry(manager: str, operation: str, **more: object) -> Object:
    return {"manager": manager, "operation": operation, "fieldsV1": {f"f:{manager}": {}}, **more}


def live(*entries: Object) -> Object:
    return {"metadata": {"resourceVersion": "7", "managedFields": list(entries)}}


def test_the_creates_fields_go_to_the_resources_own_manager() -> None:
    other = entry("somebody", "Update")
    patch = takeover(live(entry("pulumi-kubernetes", "Update"), other), "own")
    assert patch[0] == {"op": "test", "path": "/metadata/resourceVersion", "value": "7"}
    taken = patch[1]["value"]
    assert taken[0] == other
    assert taken[1] == {"manager": "own", "operation": "Apply", "fieldsV1": {"f:pulumi-kubernetes": {}}}


def test_what_kubectl_applied_is_joined_with_what_is_owned_already() -> None:
    patch = takeover(live(entry("own", "Apply"), entry("kubectl", "Apply")), "own")
    assert patch[1]["value"] == [
        {"manager": "own", "operation": "Apply", "fieldsV1": {"f:own": {}, "f:kubectl": {}}},
    ]


def test_nothing_is_taken_when_nothing_is_left_to_take() -> None:
    assert takeover(live(entry("own", "Apply"), entry("somebody", "Update")), "own") == []


def test_a_controllers_status_stays_its_own() -> None:
    status = entry("kubectl", "Update", subresource="status")
    assert takeover(live(status), "own") == []
    assert not created_by_post(live(status))
    assert created_by_post(live(entry("pulumi-kubernetes", "Update")))


def test_the_manager_is_annotated_remembered_or_new() -> None:
    annotated = {"metadata": {"annotations": {"pulumi.com/patchFieldManager": "mine"}}}
    assert manager_for(annotated, {"__fieldManager": "old"}) == "mine"
    assert manager_for({}, {"__fieldManager": "old"}) == "old"
    assert manager_for({}, {}).startswith("pulumi-kubernetes-")
    assert manager_for({}, {}) != manager_for({}, {})
