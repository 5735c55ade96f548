from __future__ import annotations

from typing import Any

from testbed.pulumi.provider import state
from testbed.pulumi.provider.properties import SECRET, SIGNATURE, UNKNOWN, decode

Object = dict[str, Any]


def obj(kind: str, **fields: object) -> Object:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "x", "namespace": "n", "uid": "u"}, **fields}


def test_an_identity_is_the_namespace_and_the_name() -> None:
    assert state.identity(obj("Pod")) == "n/x"
    assert state.identity({"metadata": {"name": "x"}}) == "x"
    assert state.split_identity("n/x") == ("n", "x")
    assert state.split_identity("x") == (None, "x")


def test_string_data_becomes_data_as_on_the_server() -> None:
    inputs = obj("Secret", stringData={"a": "plain"}, data={"b": "Yg=="})
    state.normalize(inputs)
    assert inputs["data"] == {"a": "cGxhaW4=", "b": "Yg=="}
    assert "stringData" not in inputs
    assert inputs["metadata"] == {"name": "x", "namespace": "n"}


def test_string_data_that_is_not_known_yet_stays() -> None:
    inputs = obj("Secret", stringData={"a": UNKNOWN})
    state.normalize(inputs)
    assert inputs["stringData"] == {"a": UNKNOWN}


def test_outputs_hold_the_manager_but_not_the_managed_fields() -> None:
    live = obj("ConfigMap")
    live["metadata"]["managedFields"] = [{"manager": "m"}]
    values = decode(state.outputs(live, live, "pulumi-kubernetes-1", frozenset())).values
    assert "managedFields" not in values["metadata"]
    assert values[state.FIELD_MANAGER] == "pulumi-kubernetes-1"
    assert live["metadata"]["managedFields"]  # the object itself is left alone


def test_what_a_dry_run_invents_is_unknown_in_a_preview() -> None:
    live = obj("Service", spec={"clusterIP": "10.0.0.1", "type": "ClusterIP"}, status={})
    values = decode(state.outputs(live, obj("Service"), "m", frozenset(), preview=True)).values
    assert values["spec"] == {"clusterIP": UNKNOWN, "type": "ClusterIP"}
    assert values["metadata"]["uid"] == UNKNOWN
    assert "status" not in values


def test_a_list_that_holds_a_secret_is_secret_as_a_whole() -> None:
    live = obj("Pod", spec={"args": ["open", "hidden"]})
    encoded = state.outputs(live, live, "m", frozenset({("spec", "args", 1)}))
    args = encoded.fields["spec"].struct_value.fields["args"].struct_value.fields
    assert args[SIGNATURE].string_value == SECRET


def test_what_cannot_be_tried_yet_is_expected_with_unknowns() -> None:
    values = decode(state.expected({**obj("Service"), "spec": {"ports": []}}, frozenset())).values
    assert values["spec"] == {"ports": [], "clusterIP": UNKNOWN, "clusterIPs": UNKNOWN}
    assert values["metadata"]["uid"] == UNKNOWN
