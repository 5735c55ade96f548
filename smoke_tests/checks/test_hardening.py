"""Quick looks at what the platform forbids."""

from __future__ import annotations

from smoke_tests import keys, probes
from smoke_tests.cluster import Cluster
from smoke_tests.environment import PRIVILEGED_NAMESPACE, Environment, ServedModel
from smoke_tests.evidence import Fact, Group
from smoke_tests.gateway import http_client

GROUP = Group.HARDENING
NOT_THE_API = ("/metrics", "/version", "/docs", "/invocations", "/server_info")  # read only: nothing is changed
ENFORCE = "pod-security.kubernetes.io/enforce"


def model_namespaces(environment: Environment) -> list[str]:
    return sorted({m.namespace for m in environment.outputs.models})


def test_pod_security(environment: Environment, cluster: Cluster, facts: dict[str, Fact]) -> None:
    """Every namespace of the platform enforces Pod Security restricted, but for istio-cni."""
    namespaces = environment.outputs.all_namespaces
    found = {n: cluster.get("namespace", n)["metadata"].get("labels", {}).get(ENFORCE, "nothing") for n in namespaces}
    restricted = [n for n, level in found.items() if level == "restricted"]
    others = [n for n in found if n not in restricted]
    facts["restricted"], facts["not restricted"] = restricted, others
    assert restricted, "no namespace is restricted"
    wrong = [f"{n} enforces {found[n]}" for n in others if n != PRIVILEGED_NAMESPACE]
    assert not wrong, "; ".join(wrong)


def test_paths(environment: Environment, model: ServedModel, facts: dict[str, Fact]) -> None:
    """Through the gateway {model.name} shows its OpenAI API and nothing else that its server opens."""
    with http_client(environment, key=keys.for_model(environment, model)) as client:
        control = client.get(f"{model.url}/models").status_code
        assert control == 200, f"even the models list is answered HTTP {control}"
        root = model.url.removesuffix("/v1")
        found = {path: client.get(root + path).status_code for path in NOT_THE_API}
    facts.update({path: f"HTTP {status}" for path, status in found.items()})
    open_paths = [path for path, status in found.items() if status not in (403, 404)]
    assert not open_paths, f"answered as well: {', '.join(open_paths)}"


def test_privileged_pod(environment: Environment, cluster: Cluster, facts: dict[str, Fact]) -> None:
    """A privileged pod is refused where models run; the same pod without privileges would be accepted."""
    assert model_namespaces(environment), "the stack serves no model"
    for namespace in model_namespaces(environment):
        plain = probes.pod(namespace, "sealift-smoke", environment.probe_image, identity="default", mesh=True)
        control = cluster.try_create(plain)
        assert control is None, f"in {namespace} even the conforming pod is refused: {control}"
        privileged = probes.pod(
            namespace, "sealift-smoke", environment.probe_image, identity="default", mesh=True, privileged=True
        )
        refusal = cluster.try_create(privileged)
        assert refusal, f"{namespace} would accept a privileged pod"
        facts[f"refusal in {namespace}"] = refusal.message
        assert "PodSecurity" in refusal.message, f"it was refused for another reason: {refusal.message}"
