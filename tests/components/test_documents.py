from __future__ import annotations

import json

import pytest

from components import documents


def config_map(**data: str) -> documents.Document:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "n"}, "data": data}


def webhook(name: str) -> documents.Document:
    hook = {"name": "w", "failurePolicy": "Ignore", "rules": [{}], "clientConfig": {"caBundle": "", "service": {}}}
    kind = "ValidatingWebhookConfiguration"
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, "webhooks": [hook]}


def test_a_key_leaves_out_the_namespace_of_cluster_scoped_objects() -> None:
    assert documents.key(config_map()) == "configmap/n/c"
    assert documents.key(webhook("w")) == "validatingwebhookconfiguration/w"


def test_nulls_are_left_out_at_every_depth() -> None:
    assert documents.without_nulls({"a": None, "b": [{"c": None, "d": 0}], "e": {}}) == {"b": [{"d": 0}], "e": {}}


def test_a_namespaced_object_without_a_namespace_goes_into_its_parts() -> None:
    loose = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
    assert documents.placed(loose, "part")["metadata"]["namespace"] == "part"
    assert documents.placed(config_map(), "part")["metadata"]["namespace"] == "n"
    assert "namespace" not in documents.placed(webhook("w"), "part")["metadata"]


def test_a_change_that_meets_no_document_is_an_error() -> None:
    with pytest.raises(KeyError, match="configmap/n/renamed"):
        documents.edited([config_map()], {"configmap/n/renamed": documents.with_data({"a": "b"})})


def test_json_in_a_config_map_is_merged() -> None:
    [changed] = documents.edited(
        [config_map(ingress='{"a": 1, "b": 2}')],
        {"configmap/n/c": documents.with_json_data({"ingress": {"b": 3}})},
    )
    assert json.loads(changed["data"]["ingress"]) == {"a": 1, "b": 3}


def test_what_a_controller_fills_in_is_left_to_it() -> None:
    role = {"kind": "ClusterRole", "metadata": {"name": "r"}, "aggregationRule": {}, "rules": []}
    assert "rules" not in documents.owned(role)
    assert documents.owned(webhook("cert-manager-webhook"))["webhooks"][0].keys() == {
        "name",
        "failurePolicy",
        "rules",
        "clientConfig",
    }
    assert "rules" not in documents.owned(webhook("webhook.serving.knative.dev"))["webhooks"][0]
    assert "failurePolicy" not in documents.owned(webhook("istiod-default-validator"))["webhooks"][0]
    assert documents.owned(webhook("any"))["webhooks"][0]["clientConfig"] == {"service": {}}
