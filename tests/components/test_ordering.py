from __future__ import annotations

from components.documents import Document, annotated
from components.ordering import PROPAGATION, awaited, in_ranks, rank


def document(kind: str, version: str = "v1") -> Document:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": kind.lower()}}


def test_types_come_first_and_unknown_kinds_behind_the_webhooks_that_judge_them() -> None:
    kinds = [
        "InferenceService",
        "ValidatingWebhookConfiguration",
        "Deployment",
        "ConfigMap",
        "CustomResourceDefinition",
    ]
    ranked = [[d["kind"] for d in r] for r in in_ranks(document(k) for k in kinds)]
    assert ranked == [[k] for k in reversed(kinds)]


def test_a_certificate_that_a_pod_mounts_comes_before_the_pod_but_knatives_comes_last() -> None:
    assert rank(document("Certificate", "cert-manager.io/v1")) < rank(document("Deployment"))
    knative = document("Certificate", "networking.internal.knative.dev/v1alpha1")
    assert rank(knative) > rank(document("ValidatingWebhookConfiguration"))


def test_documents_of_one_rank_keep_their_order() -> None:
    [only] = in_ranks([document("Role"), document("ConfigMap"), document("Secret")])
    assert [d["kind"] for d in only] == ["Role", "ConfigMap", "Secret"]


def test_a_webhook_configuration_waits_for_its_ca_and_is_applied_over_its_controllers_fields() -> None:
    annotations = awaited(document("MutatingWebhookConfiguration"))["metadata"]["annotations"]
    assert "caBundle" in annotations["pulumi.com/waitFor"]
    assert annotations["pulumi.com/patchForce"] == "true"


def test_only_cert_managers_certificates_wait_for_the_condition_ready() -> None:
    own = awaited(document("Certificate", "cert-manager.io/v1"))
    assert own["metadata"]["annotations"] == {"pulumi.com/waitFor": "condition=Ready"}
    assert awaited(document("Certificate", "networking.internal.knative.dev/v1alpha1"))["metadata"].keys() == {"name"}


def test_deployments_drain_at_once_unless_they_take_long_or_must_be_waited_for() -> None:
    assert awaited(document("Deployment"))["metadata"]["annotations"] == {PROPAGATION: "background"}
    patient = document("Deployment") | {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 300}}}}
    assert "annotations" not in awaited(patient)["metadata"]
    awaiting = annotated(document("Deployment"), {PROPAGATION: "foreground"})
    assert awaited(awaiting)["metadata"]["annotations"] == {PROPAGATION: "foreground"}
