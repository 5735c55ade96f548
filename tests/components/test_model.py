from __future__ import annotations

from pathlib import Path

import pytest

from components.model import ModelArgs, authorization, inference_service, sidecar, url
from components.network import model_policies, platform_policies
from components.runtime import serving_runtime
from components.site import Site
from components.size import SIZES
from tests.components.harness import REGISTRY, VLLM, make_site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return make_site(tmp_path)


def args(site: Site, **fields: object) -> ModelArgs:
    return ModelArgs(**{"site": site, "domain": "d.test", "model": "tiny", "runtime": "vllm-cpu", **fields})


def test_weights_are_the_mirrored_image_by_digest_and_stay_so_when_registered(site: Site) -> None:
    service = site.finished(inference_service("chat", args(site)))
    uri = service["spec"]["predictor"]["model"]["storageUri"]
    assert uri == f"oci+native://{site.receipt.model('tiny').mirrored}"


def test_a_standard_model_runs_as_the_images_user_and_without_a_token(site: Site) -> None:
    predictor = inference_service("chat", args(site))["spec"]["predictor"]
    assert predictor["securityContext"]["runAsUser"] == 2000
    assert predictor["automountServiceAccountToken"] is False


def test_a_knative_model_has_no_pod_security_context_because_knative_refuses_one(site: Site) -> None:
    service = inference_service("chat", args(site, mode="Knative", min_replicas=0))
    assert "securityContext" not in service["spec"]["predictor"]
    assert service["metadata"]["annotations"]["serving.kserve.io/deploymentMode"] == "Knative"


def test_own_annotations_of_a_model_cannot_switch_its_mode(site: Site) -> None:
    given = {"serving.kserve.io/deploymentMode": "Knative", "autoscaling.knative.dev/window": "20s"}
    annotations = inference_service("chat", args(site, annotations=given))["metadata"]["annotations"]
    assert annotations["serving.kserve.io/deploymentMode"] == "Standard"
    assert annotations["autoscaling.knative.dev/window"] == "20s"


def test_a_deployment_waits_for_the_model_no_longer_than_it_says(site: Site) -> None:
    annotations = inference_service("chat", args(site, ready_timeout_seconds=77))["metadata"]["annotations"]
    assert annotations["pulumi.com/waitFor"] == "condition=Ready"
    assert annotations["pulumi.com/timeoutSeconds"] == "77"


def test_only_the_gateway_and_named_callers_reach_a_model_and_only_the_openai_paths(site: Site) -> None:
    [rule] = authorization("chat", args(site, callers=["apps/web"]))["spec"]["rules"]
    assert rule["from"][0]["source"]["principals"] == [
        "cluster.local/ns/istio-system/sa/istio-ingressgateway",
        "cluster.local/ns/apps/sa/web",
    ]
    [operation] = [to["operation"] for to in rule["to"]]
    assert "/v1/chat/completions" in operation["paths"]
    assert not {"/*", "*", "/pause", "/update_weights", "/invocations", "/healthz"} & set(operation["paths"])


def test_knatives_activator_and_autoscaler_reach_only_what_they_need(site: Site) -> None:
    calls, metrics = authorization("chat", args(site, mode="Knative"))["spec"]["rules"]
    assert "cluster.local/ns/knative-serving/sa/activator" in calls["from"][0]["source"]["principals"]
    assert metrics["from"][0]["source"]["principals"] == ["cluster.local/ns/knative-serving/sa/controller"]
    assert metrics["to"][0]["operation"]["ports"] == ["9090"]


def test_the_modes_have_domains_of_their_own(site: Site) -> None:
    assert url("chat", args(site)) == "https://chat-models.d.test"
    assert url("chat", args(site, mode="Knative")) == "https://chat-predictor-models.serverless.d.test"


def test_the_proxies_of_a_tenant_let_nothing_out_that_the_mesh_does_not_know() -> None:
    assert sidecar("models")["spec"]["outboundTrafficPolicy"] == {"mode": "REGISTRY_ONLY"}


def test_a_tenants_namespace_denies_both_ways_by_default() -> None:
    deny, allow = model_policies("models", ["apps"])
    assert deny["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert "apps" in str(allow["spec"]["ingress"])
    assert "apps" not in str(allow["spec"]["egress"])


def test_every_platform_namespace_but_the_nodes_denies_what_comes_in_by_default() -> None:
    denied = {p["metadata"]["namespace"] for p in platform_policies() if "ingress" not in p["spec"]}
    assert denied == {"cert-manager", "istio-system", "knative-serving", "kserve"}


def test_a_model_server_is_read_only_unprivileged_and_silent(site: Site) -> None:
    runtime = serving_runtime(site.receipt.runtime("vllm-cpu"), SIZES["small"])
    [container] = runtime["spec"]["containers"]
    security, environment = container["securityContext"], {e["name"]: e["value"] for e in container["env"]}
    assert security["readOnlyRootFilesystem"] is True
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert (environment["HF_HUB_OFFLINE"], environment["VLLM_NO_USAGE_STATS"]) == ("1", "1")
    assert environment["HF_HOME"].startswith("/tmp/")
    assert container["image"] == VLLM
    assert REGISTRY in site.finished(runtime)["spec"]["containers"][0]["image"]


def test_a_gpu_server_asks_for_a_gpu_and_not_for_the_cpus_settings(site: Site) -> None:
    runtime = site.receipt.runtime("vllm-cpu").model_copy(update={"accelerator": "nvidia"})
    [container] = serving_runtime(runtime, SIZES["standard"])["spec"]["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert "--enforce-eager" not in container["args"]


def test_the_port_of_a_standard_model_says_that_it_is_http(site: Site) -> None:
    served = inference_service("chat", args(site))["spec"]["predictor"]["model"]
    assert [(p["name"], p["containerPort"]) for p in served["ports"]] == [("http", 8080)]
