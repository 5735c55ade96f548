"""Each rule as the API server judges it: what breaks it is refused by the policy of its name, the rest is admitted."""

from __future__ import annotations

import statistics
from collections.abc import Callable

import pytest

from policies.admission import admission_documents, policy_name
from policies.examples import Names, shown
from policies.receipt_parameter import receipt_parameter
from policies.rule import Document, Example, Rule, rules
from policies.scope import Scope
from policies.settings import Settings
from tests.policies.real.conftest import Answer, Server, eventually
from tests.policies.site import IMAGE, NAMES, RECEIPT

pytestmark = pytest.mark.slow


def asked(server: Server, example: Example, names: Names) -> Answer:
    document = shown(example, names)
    if document["kind"].startswith("Pod") and document["kind"].endswith("Options"):
        return server.connect(document, example.groups)
    return server.create(document)


@pytest.fixture(scope="module", autouse=True)
def in_force(guarded: Server) -> None:
    """Every policy refuses: the API server takes up new ones within a second or so."""
    for rule in rules():
        eventually(
            lambda rule=rule: asked(guarded, rule.breaks[0], NAMES).refused_by == policy_name(rule),  # type: ignore[misc]
            f"{rule.name} does not refuse {asked(guarded, rule.breaks[0], NAMES)}",
        )


CONFORM = [pytest.param(r, e, id=f"{r.name}: {e.of} {e.why or i}") for r in rules() for i, e in enumerate(r.conforms)]
BREAK = [pytest.param(r, e, id=f"{r.name}: {e.of} {e.why or i}") for r in rules() for i, e in enumerate(r.breaks)]


@pytest.mark.parametrize(("rule", "example"), CONFORM)
def test_what_conforms_is_admitted(guarded: Server, rule: Rule, example: Example) -> None:
    answer = asked(guarded, example, NAMES)
    if (
        answer.status == 404 and "not found" in answer.message
    ):  # a connection to a pod that there is not: past admission
        assert answer.refused_by is None
    else:
        assert answer.status == 201, answer.message


@pytest.mark.parametrize(("rule", "example"), BREAK)
def test_what_breaks_a_rule_is_refused_by_the_policy_of_its_name(guarded: Server, rule: Rule, example: Example) -> None:
    answer = asked(guarded, example, NAMES)
    by = {policy_name(rule), *(f"sealift-{n}" for n in example.alsoBreaks)}
    assert (answer.status, answer.refused_by in by) == (403, True), answer.message


def test_no_expression_is_at_odds_with_a_type(guarded: Server) -> None:
    def checked() -> list[Document]:
        listed = guarded.ask("GET", "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies").body["items"]
        return [p for p in listed if p.get("status", {}).get("observedGeneration") == p["metadata"]["generation"]]

    eventually(lambda: len(checked()) == len(rules()), f"the controller has checked {len(checked())} policies only")
    warned = {p["metadata"]["name"]: p["status"]["typeChecking"] for p in checked() if p["status"].get("typeChecking")}
    assert warned == {}


def test_a_debug_container_is_judged_as_every_other(guarded: Server, names: Names) -> None:
    pod = shown(Example(of="pod"), names)
    pod["metadata"]["name"] = "debugged"
    assert guarded.create(pod, dry=False).status == 201
    own = pod["spec"]["containers"][0]
    debugger = {k: v for k, v in own.items() if k != "resources"} | {"name": "debugger"}
    path = f"{guarded.path(pod)}/ephemeralcontainers?dryRun=All"

    def debug(**change: object) -> Answer:
        return guarded.ask(
            "PATCH", path, {"spec": {"ephemeralContainers": [{**debugger, **change}]}}, "strategic-merge-patch+json"
        )

    assert debug().status == 200
    assert debug(image="registry.other/tools:v1").refused_by == "sealift-images"
    assert debug(securityContext={**own["securityContext"], "runAsUser": 0}).refused_by == "sealift-non-root"


def test_an_image_cannot_be_changed_into_a_bad_one(guarded: Server, names: Names) -> None:
    deployment = shown(Example(of="deployment"), names)
    deployment["metadata"]["name"] = "changed"
    assert guarded.create(deployment, dry=False).status == 201
    deployment["spec"]["template"]["spec"]["containers"][0]["image"] = "registry.other/app:v1"
    assert guarded.apply(deployment, dry=True).refused_by == "sealift-images"


def test_what_an_earlier_receipt_admitted_can_still_be_scaled_finished_and_deleted(
    guarded: Server, names: Names
) -> None:
    """An upgrade changes the receipt first: old ReplicaSets must still go to zero, old Jobs' pods must still end."""
    workload, pod = shown(Example(of="replica-set"), names), shown(Example(of="pod"), names)
    for document in (workload, pod):
        document["metadata"] |= {"name": "of-before", "finalizers": ["sealift/test"]}
        assert guarded.create(document, dry=False).status == 201
    try:
        later = {digest: name for digest, name in RECEIPT.items() if digest != IMAGE}
        guarded.ask("PUT", guarded.path(receipt_parameter(later)), receipt_parameter(later))
        fresh = shown(Example(of="pod"), names)
        eventually(lambda: guarded.create(fresh).refused_by == "sealift-images", "the new receipt is not in force")
        scaled = {"spec": {"replicas": 0}, "metadata": {"annotations": {"deployment.kubernetes.io/revision": "2"}}}
        assert guarded.ask("PATCH", guarded.path(workload), scaled, "merge-patch+json").status == 200
        for document in (workload, pod):
            unfinalized = {"metadata": {"finalizers": None}}
            assert guarded.ask("PATCH", guarded.path(document), unfinalized, "merge-patch+json").status == 200
            assert guarded.ask("DELETE", guarded.path(document)).status == 200
    finally:
        guarded.ask("PUT", guarded.path(receipt_parameter(RECEIPT)), receipt_parameter(RECEIPT))
        eventually(lambda: guarded.create(shown(Example(of="pod"), names)).status == 201, "the receipt is not back")


def test_without_the_receipt_nothing_runs(guarded: Server, names: Names) -> None:
    receipt = receipt_parameter(RECEIPT)
    pod = shown(Example(of="pod"), names)
    try:
        guarded.ask("DELETE", guarded.path(receipt))
        eventually(
            lambda: "no params found" in guarded.create(pod).message, f"without a receipt: {guarded.create(pod)}"
        )
        assert guarded.create(pod).status >= 400
    finally:
        assert guarded.create(receipt, dry=False).status == 201
        eventually(lambda: guarded.create(pod).status == 201, "the receipt is not back")


def test_the_clusters_own_namespaces_and_those_that_the_stack_names_are_left_alone(
    guarded: Server, names: Names
) -> None:
    pod = shown(Example(of="pod", change={"/spec/hostNetwork": True, "/metadata/namespace": "kube-system"}), names)
    assert guarded.create(pod).status == 201
    [open_binding] = [
        d
        for d in admission_documents(rules(), Scope(models=[names.tenant], unguarded=["default"]), Settings())
        if d["metadata"]["name"] == "sealift-host-namespaces" and "policyName" in d["spec"]
    ]
    [closed_binding] = [
        d
        for d in admission_documents(rules(), Scope(models=[names.tenant]), Settings())
        if d["metadata"]["name"] == "sealift-host-namespaces" and "policyName" in d["spec"]
    ]
    pod["metadata"]["namespace"] = "default"
    assert guarded.create(pod).refused_by == "sealift-host-namespaces"
    try:
        guarded.apply(open_binding)
        eventually(lambda: guarded.create(pod).status == 201, "default is still guarded")
    finally:
        guarded.apply(closed_binding)
        eventually(lambda: guarded.create(pod).status == 403, "default is not guarded again")


def test_the_api_servers_own_bindings_are_not_judged(guarded: Server, names: Names) -> None:
    """It makes sure of them whenever it starts, some for everybody, and does not come up when it may not."""
    everybody = shown(rule_named("bindings").breaks[-1], names)
    assert guarded.create(everybody).refused_by == "sealift-bindings"
    assert guarded.create(everybody, user="system:apiserver").status == 201


def test_thousands_of_digests_are_judged_in_milliseconds(guarded: Server, names: Names) -> None:
    pod, many = shown(Example(of="pod"), names), shown(Example(of="pod"), names)
    unjudged = shown(Example(of="pod", change={"/metadata/namespace": "kube-system"}), names)
    foreign = shown(rule_named("images").breaks[4], names)
    full = {**{f"{i:064x}": f"registry.site:5000/ghcr.io/org/application-{i}" for i in range(4998)}, **RECEIPT}
    one = many["spec"]["containers"][0]
    kept = [f"{full[f'{i:064x}']}@sha256:{i:064x}" for i in range(4000, 4020)]
    many["spec"]["containers"] = [{**one, "name": f"c{i}", "image": image} for i, image in enumerate(kept)]
    without, short = median(lambda: guarded.create(unjudged), 201), median(lambda: guarded.create(pod), 201)
    try:
        assert guarded.ask("PUT", guarded.path(receipt_parameter(full)), receipt_parameter(full)).status == 200
        eventually(lambda: guarded.create(many).status == 201, "the long receipt is not in force")
        long, twenty = median(lambda: guarded.create(pod), 201), median(lambda: guarded.create(many), 201)
        refused = median(lambda: guarded.create(foreign), 403)
    finally:
        guarded.ask("PUT", guarded.path(receipt_parameter(RECEIPT)), receipt_parameter(RECEIPT))
    print(
        f"\nmedian of a dry-run pod: {without:.1f} ms unjudged; under {len(rules())} policies {short:.1f} ms with "
        f"{len(RECEIPT)} digests, {long:.1f} ms with {len(full)}; 20 containers {twenty:.1f} ms; "
        f"refused {refused:.1f} ms"
    )
    assert max(long, twenty, refused) < 300  # generous: the machine may be building at the same time


def test_a_debug_container_in_the_platform_is_for_the_break_glass_group(guarded: Server, names: Names) -> None:
    pod = shown(Example(of="pod", change={"/metadata/namespace": "istio-system"}), names)
    pod["metadata"]["name"] = "gateway"
    assert guarded.create(pod, dry=False).status == 201
    debugger = {k: v for k, v in pod["spec"]["containers"][0].items() if k != "resources"} | {"name": "debugger"}
    path, body = f"{guarded.path(pod)}/ephemeralcontainers?dryRun=All", {"spec": {"ephemeralContainers": [debugger]}}
    kind = "strategic-merge-patch+json"
    assert guarded.ask("PATCH", path, body, kind, groups=["system:masters"]).refused_by == "sealift-exec"
    assert guarded.ask("PATCH", path, body, kind, groups=["sealift:break-glass"]).status == 200


def rule_named(name: str) -> Rule:
    [found] = [r for r in rules() if r.name == name]
    return found


def median(ask: Callable[[], Answer], status: int, times: int = 60) -> float:
    """Milliseconds."""
    answers = [ask() for _ in range(times)]
    assert {a.status for a in answers} == {status}
    return statistics.median(a.milliseconds for a in answers)
