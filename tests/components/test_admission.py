from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from components.admission import AdmissionArgs, RulesArgs, documents, wait_until_in_force
from components.model import ModelArgs
from components.platform import Platform, PlatformArgs
from components.site import Site
from mirror.errors import BadInput, ChecksFailed
from policies.expected import Expected
from policies.judge import Judge
from policies.pack import plain
from policies.rule import rules
from policies.scope import Scope
from tests.components.harness import FakeCluster, Noted, make_site, run

POD: dict[str, Any] = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return make_site(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def deployed(site: Site) -> Noted:
    fields: dict[str, Any] = {"site": site, "domain": "models.test", "model": "tiny", "runtime": "vllm-cpu"}
    models = [("chat", ModelArgs(**fields)), ("batch", ModelArgs(**fields, mode="Knative", min_replicas=0))]
    return run(lambda: Platform("platform", PlatformArgs(site, "models.test", models)).urn)


def test_what_the_platform_registers_breaks_no_rule(site: Site, deployed: Noted) -> None:
    expected = Expected.of(site.receipt)
    judge = Judge(rules(), expected.receipt, Scope(), expected.settings)
    found = {
        name: violations
        for name, document in deployed.documents.items()
        if (violations := [v for r in rules() for v in judge.violations(r, plain(document))])
    }
    assert len(deployed.documents) > 80
    assert found == {}


def test_every_rule_is_bound_before_anything_that_it_judges(deployed: Noted) -> None:
    makes_pods = [
        n for n in deployed.documents if n.startswith(("deployment/", "daemonset/", "inferenceservice/", "clusterserv"))
    ]
    assert len(makes_pods) > 8
    for rule in rules():
        binding = f"validatingadmissionpolicybinding/sealift-{rule.name}"
        assert [n for n in makes_pods if not deployed.comes_after(n, binding)] == []
        assert deployed.comes_after(binding, f"validatingadmissionpolicy/sealift-{rule.name}")
        assert deployed.comes_after(binding, "configmap/sealift-system/sealift-receipt")


def test_the_receipt_goes_last_but_for_its_namespace(deployed: Noted) -> None:
    """Deleting goes the other way round: a binding without its receipt would refuse everything."""
    assert deployed.comes_after("configmap/sealift-system/sealift-receipt", "namespace/sealift-system")


def test_the_parameter_holds_images_and_weights_by_digest(site: Site) -> None:
    [receipt] = [d for d in documents(AdmissionArgs(site, ["models"])) if d["kind"] == "ConfigMap"]
    arrived = {i.mirrored for i in site.receipt.images} | {m.mirrored for m in site.receipt.models}
    assert {f"{name}@sha256:{k}" for k, v in receipt["data"].items() for name in v.split(" ")} == arrived


def test_an_earlier_receipt_stays_allowed_when_the_stack_says_so(site: Site, tmp_path: Path) -> None:
    earlier = make_site(tmp_path, models=[structs.replace(site.receipt.models[0], mirrored=f"old@sha256:{'9' * 64}")])
    now = documents(AdmissionArgs(site, ["models"]))[0]["data"]
    both = documents(AdmissionArgs(site, ["models"], RulesArgs(earlier=[earlier.receipt])))[0]["data"]
    assert "9" * 64 not in now
    assert both == now | {"9" * 64: "old"}


@pytest.mark.parametrize("namespace", ["models", "istio-system"])
def test_a_stack_cannot_leave_its_own_namespaces_out(site: Site, namespace: str) -> None:
    with pytest.raises(BadInput, match=namespace):
        documents(AdmissionArgs(site, ["models"], RulesArgs(unguarded=[namespace])))


def test_a_stack_may_leave_namespaces_of_others_out(site: Site) -> None:
    bindings = [
        d["spec"]["matchResources"]["namespaceSelector"]["matchExpressions"][0]
        for d in documents(AdmissionArgs(site, ["models"], RulesArgs(unguarded=["gpu-operator"])))
        if d["kind"] == "ValidatingAdmissionPolicyBinding"
    ]
    assert bindings
    assert all("gpu-operator" in b["values"] for b in bindings if b["operator"] == "NotIn")


class SlowCluster(FakeCluster):
    """It takes the policies up after ``after`` questions."""

    after = 3

    def verdict(self, document: dict[str, Any]) -> str:
        self.asked.append(document["kind"])
        return "ValidatingAdmissionPolicy 'sealift-images' denied" if len(self.asked) > self.after else ""


def test_the_wait_ends_when_the_policy_itself_refuses() -> None:
    cluster = SlowCluster()
    wait_until_in_force(cluster, {"sealift-images": POD}, pause=lambda _: None)
    assert len(cluster.asked) == 4


def test_the_wait_is_bounded_and_its_error_tells_what_was_said() -> None:
    cluster, now = SlowCluster(), iter(range(100))
    with pytest.raises(ChecksFailed, match="sealift-volumes"):
        wait_until_in_force(cluster, {"sealift-volumes": POD}, seconds=5, clock=lambda: next(now), pause=lambda _: None)
