from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from components.model import ModelArgs
from components.platform import Platform, PlatformArgs
from components.site import Site
from mirror import discover
from mirror.errors import NotInReceipt
from tests.components.harness import REGISTRY, Noted, make_site, run


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return make_site(tmp_path)


def model(site: Site, **fields: object) -> ModelArgs:
    return ModelArgs(**{"site": site, "domain": "models.test", "model": "tiny", "runtime": "vllm-cpu", **fields})


def deployed(site: Site, *models: tuple[str, ModelArgs]) -> tuple[Noted, dict[str, Any]]:
    outputs: dict[str, Any] = {}

    def program() -> object:
        platform = Platform("platform", PlatformArgs(site, "models.test", models))
        outputs.update(platform.outputs)
        return platform.urn

    return run(program), outputs


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Noted:
    site = make_site(tmp_path_factory.mktemp("site"))
    noted, _ = deployed(site, ("chat", model(site)), ("batch", model(site, mode="Knative", min_replicas=0)))
    return noted


def test_every_image_that_is_registered_is_in_the_internal_registry_by_digest(both: Noted) -> None:
    found = [s for d in both.documents.values() for s in discover.find(d)]
    assert len(found) > 8
    assert {s.text for s in found if not s.text.startswith(f"{REGISTRY}/") or "@sha256:" not in s.text} == set()


def test_an_image_in_the_injectors_values_is_rewritten_too(both: Noted) -> None:
    injector = both.documents["configmap/istio-system/istio-sidecar-injector"]
    assert f"{REGISTRY}/docker.io/istio/proxyv2@sha256:" in injector["data"]["values"]


def test_a_missing_image_stops_the_program_and_says_which(tmp_path: Path) -> None:
    site = make_site(tmp_path)
    images = [i for i in site.receipt.images if "activator" not in i.reference]
    poorer = make_site(tmp_path, images=images)
    with pytest.raises(NotInReceipt, match="activator"):
        deployed(poorer)


def test_a_model_that_did_not_arrive_stops_the_program_before_anything_is_registered(site: Site) -> None:
    seen: list[Noted] = []
    with pytest.raises(NotInReceipt, match="'gpt'"):
        seen.append(deployed(site, ("chat", model(site, model="gpt")))[0])
    assert seen == []


def test_namespaces_enforce_restricted_but_for_the_one_that_touches_the_node(both: Noted) -> None:
    profiles = {
        d["metadata"]["name"]: d["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
        for d in both.documents.values()
        if d["kind"] == "Namespace"
    }
    assert profiles.pop("istio-cni") == "privileged"
    assert set(profiles) == {"cert-manager", "istio-system", "knative-serving", "kserve", "sealift-system", "models"}
    assert set(profiles.values()) == {"restricted"}


def test_a_namespace_is_registered_once_although_a_release_brings_it_too(both: Noted) -> None:
    assert [k for k in both.documents if k.startswith("namespace/") and "knative" in k] == ["namespace/knative-serving"]


@pytest.mark.parametrize(
    ("late", "early"),
    [
        ("deployment/istio-system/istiod", "namespace/istio-system"),
        ("deployment/istio-system/istiod", "customresourcedefinition/gateways.gateway.networking.k8s.io"),
        ("validatingwebhookconfiguration/istiod-default-validator", "deployment/istio-system/istiod"),
        ("peerauthentication/istio-system/default", "mutatingwebhookconfiguration/istio-sidecar-injector"),
        ("peerauthentication/istio-system/default", "daemonset/istio-cni/istio-cni-node"),
        ("deployment/knative-serving/activator", "peerauthentication/istio-system/default"),
        ("deployment/knative-serving/activator", "configmap/knative-serving/config-network"),
        ("deployment/knative-serving/activator", "authorizationpolicy/knative-serving/allow-activator"),
        ("validatingwebhookconfiguration/validation.webhook.serving.knative.dev", "deployment/knative-serving/webhook"),
        (
            "certificate/knative-serving/routing-serving-certs",
            "validatingwebhookconfiguration/validation.webhook.serving.knative.dev",
        ),
        ("deployment/kserve/kserve-controller-manager", "customresourcedefinition/services.serving.knative.dev"),
        ("deployment/kserve/kserve-controller-manager", "customresourcedefinition/gateways.gateway.networking.k8s.io"),
        ("deployment/kserve/kserve-controller-manager", "certificate/kserve/serving-cert"),
        ("certificate/kserve/serving-cert", "validatingwebhookconfiguration/cert-manager-webhook"),
        ("gateway/istio-system/kserve-ingress-gateway", "deployment/istio-system/istio-ingressgateway"),
        ("gateway/istio-system/kserve-ingress-gateway", "certificate/istio-system/sealift-gateway-tls"),
        ("clusterservingruntime/vllm-cpu", "validatingwebhookconfiguration/inferenceservice.serving.kserve.io"),
        ("inferenceservice/models/chat", "clusterservingruntime/vllm-cpu"),
        ("inferenceservice/models/chat", "authorizationpolicy/models/chat-callers"),
        ("inferenceservice/models/chat", "networkpolicy/models/default-deny"),
        ("inferenceservice/models/batch", "gateway/knative-serving/knative-ingress-gateway"),
    ],
)
def test_what_needs_another_waits_for_it(both: Noted, late: str, early: str) -> None:
    assert {late, early} <= set(both.documents)
    assert both.comes_after(late, early)


def test_a_standard_model_does_not_wait_for_knative(both: Noted) -> None:
    assert not both.comes_after("inferenceservice/models/chat", "deployment/knative-serving/activator")


def test_objects_are_children_of_their_parts_component(both: Noted) -> None:
    assert both.parents["deployment/istio-system/istiod"] == "istio"
    assert both.parents["inferenceservice/models/chat"] == "models/chat"
    assert both.parents["istio"] == "platform"


def test_knatives_settings_are_complete_when_first_made_and_its_example_is_untouched(both: Noted) -> None:
    deployment = both.documents["configmap/knative-serving/config-deployment"]["data"]
    assert deployment["_example"] == 'registries-skipping-tag-resolving: "kind.local"\n'
    assert REGISTRY in deployment["registries-skipping-tag-resolving"]
    assert deployment["queue-sidecar-image"].startswith(REGISTRY)
    assert both.documents["configmap/knative-serving/config-domain"]["data"] == {"serverless.models.test": ""}
    network = both.documents["configmap/knative-serving/config-network"]["data"]
    assert network["domain-template"] == "{{.Name}}-{{.Namespace}}.{{.Domain}}"


def test_plaintext_for_every_host_is_replaced_by_https_for_the_serverless_domain(both: Noted) -> None:
    [server] = both.documents["gateway/knative-serving/knative-ingress-gateway"]["spec"]["servers"]
    assert server["hosts"] == ["*.serverless.models.test"]
    assert server["port"]["protocol"] == "HTTPS"


def test_only_activator_and_autoscaler_get_a_sidecar_in_knatives_namespace(both: Noted) -> None:
    def label(deployment: str) -> object:
        metadata = both.documents[f"deployment/knative-serving/{deployment}"]["spec"]["template"]["metadata"]
        return metadata["labels"].get("sidecar.istio.io/inject")

    outside = ("controller", "webhook", "net-istio-webhook")
    assert [label(d) for d in (*outside, "activator")] == ["false", "false", "false", None]


def test_nothing_takes_plaintext(both: Noted) -> None:
    modes = [str(d["spec"]) for k, d in both.documents.items() if k.startswith("peerauthentication/")]
    assert modes == ["{'mtls': {'mode': 'STRICT'}}"]
    servers = [s for k, d in both.documents.items() if k.startswith("gateway/knative") for s in d["spec"]["servers"]]
    assert {s["port"]["protocol"] for s in servers} == {"HTTPS"}
    assert "service/istio-system/knative-local-gateway" not in both.documents
    assert both.documents["configmap/knative-serving/config-istio"]["data"] == {"local-gateways": "[]"}
    [port] = both.documents["service/istio-system/istio-ingressgateway"]["spec"]["ports"]
    assert port["name"] == "https"


def test_the_mesh_refuses_what_no_policy_opens(both: Noted) -> None:
    assert both.documents["authorizationpolicy/istio-system/deny-by-default"]["spec"] == {}


def test_policies_are_in_force_before_the_first_pod_and_every_namespace_has_them(both: Noted) -> None:
    namespaces = [d["metadata"]["name"] for k, d in both.documents.items() if k.startswith("namespace/")]
    assert namespaces
    for namespace in namespaces:
        assert f"networkpolicy/{namespace}/default-deny" in both.documents
    workloads = [k for k, d in both.documents.items() if d["kind"] in ("Deployment", "DaemonSet", "InferenceService")]
    policies = [k for k in both.documents if k.startswith("networkpolicy/")]
    assert len(policies) > 30
    for workload in workloads:
        assert all(both.comes_after(workload, policy) for policy in policies), workload
    assert all(both.comes_after(w, "priorityclass/sealift-platform") for w in workloads)


def test_no_namespace_gives_a_container_without_limits_a_whole_node_or_opens_ports_of_nodes(both: Noted) -> None:
    for namespace in [d["metadata"]["name"] for k, d in both.documents.items() if k.startswith("namespace/")]:
        [defaults] = both.documents[f"limitrange/{namespace}/defaults"]["spec"]["limits"]
        assert set(defaults["default"]) == {"cpu", "memory"}
        hard = both.documents[f"resourcequota/{namespace}/ways-in"]["spec"]["hard"]
        assert set(hard.values()) == {"1" if namespace == "istio-system" else "0"}


def test_what_runs_more_than_once_may_lose_one_pod_at_a_time_and_is_spread(tmp_path: Path) -> None:
    noted, _ = deployed(make_site(tmp_path, size="standard"))
    budgets = {k: d["spec"] for k, d in noted.documents.items() if d["kind"] == "PodDisruptionBudget"}
    replicated = {
        k.replace("deployment/", "poddisruptionbudget/"): d["spec"]
        for k, d in noted.documents.items()
        if d["kind"] == "Deployment" and d["spec"].get("replicas", 1) > 1
    }
    assert set(budgets) == set(replicated)
    assert "poddisruptionbudget/knative-serving/activator" in budgets
    for name, spec in replicated.items():
        assert budgets[name] == {"maxUnavailable": 1, "selector": spec["selector"]}
        assert len(spec["template"]["spec"]["topologySpreadConstraints"]) == 2


def test_what_runs_once_has_no_budget_that_would_keep_a_node_from_being_drained(both: Noted) -> None:
    assert [k for k in both.documents if k.startswith("poddisruptionbudget/")] == []


def test_requests_are_logged_by_nobody_with_their_bodies(both: Noted) -> None:
    observability = both.documents["configmap/knative-serving/config-observability"]["data"]
    assert observability["logging.enable-request-log"] == "false"
    runtime = both.documents["clusterservingruntime/vllm-cpu"]["spec"]["containers"][0]
    assert "--no-enable-log-requests" in runtime["args"]


def test_queue_proxy_has_limits(both: Noted) -> None:
    data = both.documents["configmap/knative-serving/config-deployment"]["data"]
    assert {"queue-sidecar-cpu-limit", "queue-sidecar-memory-limit", "queue-sidecar-memory-request"} <= set(data)


def test_kserve_starts_no_model_with_an_image_that_is_not_shipped(both: Noted) -> None:
    data = both.documents["configmap/kserve/inferenceservice-config"]["data"]
    assert data["explainers"] == "{}"
    assert '"Standard"' in data["deploy"]


def test_outputs_are_the_contract_with_the_smoke_tests(site: Site) -> None:
    noted, outputs = deployed(site, ("chat", model(site)), ("batch", model(site, mode="Knative", min_replicas=0)))
    chat, batch = outputs["models"]
    assert outputs["domain"] == "models.test"
    assert outputs["resources"] == len(noted.documents)
    assert outputs["receiptBundle"] == site.receipt.bundle
    assert (chat["host"], chat["scaleToZero"]) == ("chat-models.models.test", False)
    assert (batch["host"], batch["scaleToZero"]) == ("batch-predictor-models.serverless.models.test", True)
    assert outputs["namespaces"]["models"] == ["models"]
