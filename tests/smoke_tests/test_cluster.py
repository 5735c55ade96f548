from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mirror.errors import BadInput, ToolMissing
from smoke_tests import authorization, predictors, probes
from smoke_tests.cluster import Cluster, Refused, gateway_address, wait_until
from smoke_tests.environment import GatewayService, ServedModel, StackOutputs

if TYPE_CHECKING:
    from tests.smoke_tests.conftest import FakeKubectl

GATEWAY = GatewayService(namespace="istio-system", service="edge", port=443)


def service(status: dict[str, Any] | None = None, *, node_port: int | None = 30443) -> dict[str, Any]:
    port = {"name": "https", "port": 443} | ({"nodePort": node_port} if node_port else {})
    return {"spec": {"ports": [{"name": "http", "port": 80}, port]}, "status": status or {}}


NODES = {
    "items": [
        {"status": {"addresses": [{"type": "Hostname", "address": "n"}, {"type": "InternalIP", "address": "10.0.0.7"}]}}
    ]
}


def test_the_gateway_is_called_at_its_load_balancer(kubectl: FakeKubectl, cluster: Cluster) -> None:
    kubectl.answers({"get service edge -n istio-system": service({"loadBalancer": {"ingress": [{"ip": "10.1.1.1"}]}})})
    assert gateway_address(cluster, GATEWAY, None) == ("10.1.1.1", 443)


def test_without_a_load_balancer_it_is_called_at_a_nodes_port(kubectl: FakeKubectl, cluster: Cluster) -> None:
    kubectl.answers({"get service edge -n istio-system": service(), "get nodes": NODES})
    assert gateway_address(cluster, GATEWAY, None) == ("10.0.0.7", 30443)
    by_node_port = GATEWAY.model_copy(update={"port": 30443})
    assert gateway_address(cluster, by_node_port, None) == ("10.0.0.7", 30443)


def test_a_given_address_goes_first(kubectl: FakeKubectl, cluster: Cluster) -> None:
    kubectl.answers({"get service edge -n istio-system": service()})
    assert gateway_address(cluster, GATEWAY, "edge.test") == ("edge.test", 30443)
    assert gateway_address(cluster, GATEWAY, "edge.test:8443") == ("edge.test", 8443)


def test_a_gateway_without_a_way_in_is_refused_with_what_to_do(kubectl: FakeKubectl, cluster: Cluster) -> None:
    kubectl.answers({"get service edge -n istio-system": service(node_port=None)})
    with pytest.raises(BadInput, match="neither a load balancer nor a node port") as raised:
        gateway_address(cluster, GATEWAY, None)
    assert "--address" in raised.value.instead


def test_what_kubectl_says_of_an_error_is_passed_on(kubectl: FakeKubectl, cluster: Cluster) -> None:
    kubectl.answers({"get namespace x": {"error": "Forbidden: you may not"}})
    with pytest.raises(ToolMissing, match="Forbidden: you may not"):
        cluster.get("namespace", "x")


def test_the_kubeconfig_reaches_kubectl(kubectl: FakeKubectl, tmp_path: Path) -> None:
    program = kubectl.directory / "kubectl"
    program.write_text(program.read_text().replace('if not a.startswith("--kubeconfig") and', "if"))
    kubectl.answers({f"--kubeconfig={tmp_path}/config get nodes": NODES})
    assert Cluster(tmp_path / "config").items("nodes") == NODES["items"]


def test_a_refusal_of_the_api_server_is_a_value_and_not_an_error(kubectl: FakeKubectl, cluster: Cluster) -> None:
    document = probes.pod("models", "x", "image", identity="default")
    kubectl.answers({"create*": "pod/x"})
    assert cluster.try_create(document) is None
    kubectl.answers({"create*": {"error": "violates PodSecurity"}})
    assert cluster.try_create(document) == Refused("violates PodSecurity")


def test_waiting_ends_when_the_condition_holds_or_the_time_is_over() -> None:
    answers = iter([False, False, True])
    assert wait_until(lambda: next(answers), seconds=5, every=0.001)
    assert not wait_until(lambda: False, seconds=0.01, every=0.001)


def test_the_probes_are_made_and_removed_even_when_a_check_breaks(kubectl: FakeKubectl, cluster: Cluster) -> None:
    kubectl.answers({"get namespace sealift-smoke*": "", "apply*": "", "wait*": "", "delete*": ""})
    with pytest.raises(RuntimeError), probes.running(cluster, "image"):
        raise RuntimeError
    verbs = [c[0] for c in kubectl.calls]
    assert verbs == ["get", "apply", "apply", "apply", "wait", "wait", "wait", "delete"]


def test_a_namespace_of_the_same_name_that_is_not_ours_is_left_alone(kubectl: FakeKubectl, cluster: Cluster) -> None:
    kubectl.answers(
        {
            "get namespace sealift-smoke --ignore-not-found name": "namespace/sealift-smoke",
            "get namespace sealift-smoke": {"metadata": {"labels": {}}},
        }
    )
    with pytest.raises(BadInput, match="not the smoke test's"), probes.running(cluster, "image"):
        pass
    assert {c[0] for c in kubectl.calls} == {"get"}


def test_the_probes_conform_to_pod_security_restricted() -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted"""
    spec = probes.pod("models", "x", "image", identity="default")["spec"]
    security = spec["containers"][0]["securityContext"]
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert security["runAsNonRoot"] is True
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert "privileged" not in security


def test_only_the_plain_probe_has_no_sidecar() -> None:
    made = {p.name: probes.pod("n", p.name, "i", identity=p.name, mesh=p.mesh) for p in probes.PROBES}
    labels = {name: pod["metadata"]["labels"]["sidecar.istio.io/inject"] for name, pod in made.items()}
    assert labels == {"client": "true", "stranger": "true", "plain": "false"}


@pytest.fixture
def model(outputs: dict[str, Any]) -> ServedModel:
    return StackOutputs.model_validate(outputs).models[0]


def test_a_predictor_is_found_where_it_listens(kubectl: FakeKubectl, cluster: Cluster, model: ServedModel) -> None:
    ready = {"conditions": [{"type": "Ready", "status": "True"}], "podIP": "10.244.0.9"}
    spec = {
        "containers": [{"name": "kserve-container", "ports": [{"containerPort": 8080}]}],
        "serviceAccountName": "sa",
    }
    going = {"metadata": {"name": "old", "deletionTimestamp": "now", "labels": {}}, "spec": spec, "status": ready}
    starting = {"metadata": {"name": "new", "labels": {}}, "spec": spec, "status": {}}
    serving = {"metadata": {"name": "chat-1", "labels": {"a": "b"}}, "spec": spec, "status": ready}
    kubectl.answers({"get pods*": {"items": [going, starting, serving]}})
    found = predictors.replica(cluster, model)
    assert found
    assert (found.pod, found.url, found.service_account) == ("chat-1", "10.244.0.9:8080/v1/models", "sa")


@pytest.mark.parametrize(
    ("cluster_ip", "port"), [("10.96.0.5", 80), ("None", 8080)], ids=["with an address", "headless"]
)
def test_a_headless_service_is_called_at_the_pods_port(
    cluster_ip: str, port: int, kubectl: FakeKubectl, cluster: Cluster, model: ServedModel
) -> None:
    spec = {"clusterIP": cluster_ip, "ports": [{"port": 80, "targetPort": 8080}]}
    kubectl.answers({"get service chat-predictor -n models": {"metadata": {"name": "chat-predictor"}, "spec": spec}})
    assert predictors.service_url(cluster, model) == f"chat-predictor.models.svc.cluster.local:{port}/v1/models"


def test_in_knative_mode_the_newest_revisions_own_service_is_called(
    kubectl: FakeKubectl, cluster: Cluster, model: ServedModel
) -> None:
    def private(name: str, made: str) -> dict[str, Any]:
        return {"metadata": {"name": name, "creationTimestamp": made}, "spec": {"ports": [{"port": 80}]}}

    services = [
        private("chat-predictor-00001-private", "2026-01-01"),
        private("chat-predictor-00002-private", "2026-01-02"),
    ]
    kubectl.answers({"get services*": {"items": services}})
    knative = model.model_copy(update={"mode": "Knative"})
    assert predictors.service_url(cluster, knative).startswith("chat-predictor-00002-private.models.svc")


def policy(namespace: str = "models", **spec: object) -> dict[str, Any]:
    return {"metadata": {"namespace": namespace}, "spec": spec}


def test_policies_of_the_pod_its_namespace_and_the_mesh_apply_to_it(kubectl: FakeKubectl, cluster: Cluster) -> None:
    mine = policy(selector={"matchLabels": {"app": "chat"}})
    mesh_wide = policy("istio-system")
    others = [policy(selector={"matchLabels": {"app": "batch"}}), policy(action="DENY"), policy(targetRefs=[])]
    kind = "get authorizationpolicies.security.istio.io -n"
    gateways = policy("istio-system", selector={"matchLabels": {"app": "chat"}})
    kubectl.answers(
        {f"{kind} models": {"items": [mine, *others]}, f"{kind} istio-system": {"items": [mesh_wide, gateways]}}
    )
    assert authorization.allowing(cluster, "models", {"app": "chat", "x": "y"}) == [mine, mesh_wide]


@pytest.mark.parametrize(
    ("principal", "named"),
    [
        ("cluster.local/ns/sealift-smoke/sa/client", True),
        ("cluster.local/ns/sealift-smoke/sa/*", True),
        ("cluster.local/ns/sealift-smoke/sa/stranger", False),
        ("cluster.local/ns/istio-system/sa/client", False),
    ],
)
def test_an_identity_is_named_exactly_or_by_a_star(principal: str, named: bool) -> None:
    rules = [{"to": []}, {"from": [{"source": {"principals": [principal]}}]}]
    assert authorization.names([policy(rules=rules)], "sealift-smoke", "client") is named
