from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import structs

from components.model import ModelArgs, host, inference_service, sidecar
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


def test_the_modes_have_domains_of_their_own(site: Site) -> None:
    assert host("chat", args(site)) == "chat-models.d.test"
    assert host("chat", args(site, mode="Knative")) == "chat-predictor-models.serverless.d.test"


def test_the_proxies_of_a_tenant_let_nothing_out_that_the_mesh_does_not_know() -> None:
    assert sidecar("models")["spec"]["outboundTrafficPolicy"] == {"mode": "REGISTRY_ONLY"}


def test_a_model_gives_way_to_the_platform_and_not_to_other_workloads(site: Site) -> None:
    for mode in ("Standard", "Knative"):
        assert inference_service("chat", args(site, mode=mode))["spec"]["predictor"]["priorityClassName"] == (
            "sealift-models"
        )


def test_a_model_gets_a_user_namespace_where_the_nodes_can_and_the_mode_knows_one(site: Site) -> None:
    def asked(**fields: object) -> object:
        return inference_service("chat", args(site, **fields))["spec"]["predictor"].get("hostUsers")

    assert asked(user_namespace=True) is False
    assert asked(user_namespace=False) is None
    assert asked(user_namespace=True, mode="Knative") is None


def test_replicas_of_a_model_are_spread(site: Site) -> None:
    one, more = (
        inference_service("chat", args(site, max_replicas=n))["spec"]["predictor"].get("topologySpreadConstraints")
        for n in (1, 2)
    )
    assert one is None
    assert {c["topologyKey"] for c in more} == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}


def test_a_model_server_is_read_only_unprivileged_and_silent(site: Site) -> None:
    runtime = serving_runtime(site.receipt.runtime("vllm-cpu"), SIZES["small"])
    [container] = runtime["spec"]["containers"]
    security, environment = container["securityContext"], {e["name"]: e["value"] for e in container["env"]}
    assert security["readOnlyRootFilesystem"] is True
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert (environment["HF_HUB_OFFLINE"], environment["VLLM_NO_USAGE_STATS"]) == ("1", "1")
    assert environment["HF_HOME"].startswith("/tmp/")
    assert "--no-enable-log-requests" in container["args"]
    assert all("sizeLimit" in v["emptyDir"] for v in runtime["spec"]["volumes"])
    assert set(container["resources"]["limits"]) == {"cpu", "memory"}
    assert container["image"] == VLLM
    assert REGISTRY in site.finished(runtime)["spec"]["containers"][0]["image"]


def test_a_gpu_server_asks_for_a_gpu_and_not_for_the_cpus_settings(site: Site) -> None:
    runtime = structs.replace(site.receipt.runtime("vllm-cpu"), accelerator="nvidia")
    [container] = serving_runtime(runtime, SIZES["standard"])["spec"]["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert "--enforce-eager" not in container["args"]


def test_the_port_of_a_standard_model_says_that_it_is_http(site: Site) -> None:
    served = inference_service("chat", args(site))["spec"]["predictor"]["model"]
    assert [(p["name"], p["containerPort"]) for p in served["ports"]] == [("http", 8080)]


def test_a_canarys_part_of_the_traffic_is_kserves_and_is_left_out_where_none_is_given(site: Site) -> None:
    def percent(value: int | None) -> object:
        made = inference_service("chat", args(site, mode="Knative", canary_traffic_percent=value))
        return made["spec"]["predictor"].get("canaryTrafficPercent")

    assert [percent(v) for v in (None, 0, 10)] == [None, 0, 10]


def test_a_model_that_takes_long_to_start_is_given_the_time(site: Site) -> None:
    [usual] = serving_runtime(site.receipt.runtime("vllm-cpu"), SIZES["small"])["spec"]["containers"]
    served = inference_service("chat", args(site, start_timeout_seconds=1801))["spec"]["predictor"]["model"]
    assert "startupProbe" not in inference_service("chat", args(site))["spec"]["predictor"]["model"]
    patience = [p["periodSeconds"] * p["failureThreshold"] for p in (usual["startupProbe"], served["startupProbe"])]
    assert patience[0] == 600
    assert 1801 <= patience[1] < 1810
    assert served["startupProbe"]["httpGet"] == usual["startupProbe"]["httpGet"]


def test_a_cpu_server_compiles_nothing_while_it_serves(site: Site) -> None:
    runtime = site.receipt.runtime("vllm-cpu")
    for accelerator, expected in (("cpu", "1"), ("nvidia", None)):
        made = serving_runtime(structs.replace(runtime, accelerator=accelerator), SIZES["small"])
        environment = {e["name"]: e["value"] for e in made["spec"]["containers"][0]["env"]}
        assert environment.get("TORCH_COMPILE_DISABLE") == expected


def test_a_revision_that_never_gets_ready_is_given_up_when_nobody_waits_any_more(site: Site) -> None:
    def deadline(**fields: object) -> object:
        made = inference_service("chat", args(site, **fields))["metadata"]["annotations"]
        return made.get("serving.knative.dev/progress-deadline")

    assert deadline() is None
    assert deadline(mode="Knative") == "900s"
    assert deadline(mode="Knative", start_timeout_seconds=1200) == "1200s"


def test_no_answer_is_cut_because_it_began_before_the_question_was_seen_to_end(site: Site) -> None:
    made = inference_service("chat", args(site, mode="Knative"))["metadata"]["annotations"]
    assert made["features.knative.dev/http-full-duplex"] == "Enabled"
    standard = inference_service("chat", args(site))["metadata"]["annotations"]
    assert not [k for k in standard if k.startswith("features.knative.dev/")]
