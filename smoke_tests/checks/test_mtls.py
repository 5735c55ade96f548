"""Who may call a model inside the cluster, past the gateway: only those who prove who they are."""

from __future__ import annotations

import pytest

from smoke_tests import authorization, predictors, spiffe
from smoke_tests.calls import Call, call
from smoke_tests.cluster import Cluster, Document
from smoke_tests.environment import Environment, ServedModel
from smoke_tests.evidence import Fact, Group
from smoke_tests.gateway import openai_client
from smoke_tests.plugin import not_asked
from smoke_tests.predictors import Predictor
from smoke_tests.probes import CLIENT, NAMESPACE, PLAIN, STRANGER, Probe

GROUP = Group.MTLS
ENVOY_CERTIFICATES = ("pilot-agent", "request", "GET", "certs")
KEPT_OUT = f"a NetworkPolicy keeps {NAMESPACE} out before the mesh judges: name {CLIENT.source} among the callers"
MESH_SECONDS = 20  # longer than Envoy tries to connect before it answers 503 itself


@pytest.fixture
def predictor(environment: Environment, cluster: Cluster, typical_model: ServedModel) -> Predictor:
    """A replica that answers through the gateway at this moment: what is refused is not refused for being down."""
    with openai_client(environment, typical_model) as client:
        assert list(client.models.list()), "through the gateway the model does not answer either"
    found = predictors.replica(cluster, typical_model)
    assert found, "the gateway answers, but no Ready replica of the model is to be seen"
    return found


@pytest.fixture
def policies(cluster: Cluster, predictor: Predictor) -> list[Document]:
    return authorization.allowing(cluster, predictor.namespace, predictor.labels)


@pytest.fixture
def may_be_kept_out(cluster: Cluster, predictor: Predictor, policies: list[Document]) -> bool:
    """Whether a NetworkPolicy may stop the client pods before the mesh gets to judge them.

    Never where the stack names the known client as a caller: then their namespace must be let in.
    """
    has_policy = bool(cluster.items("networkpolicies.networking.k8s.io", "-n", predictor.namespace))
    return has_policy and not names_client(policies)


def names_client(policies: list[Document]) -> bool:
    return authorization.names(policies, NAMESPACE, CLIENT.name)


def caller_identity(cluster: Cluster, probe: Probe) -> str:
    """The SPIFFE ID in the certificate that the sidecar of ``probe`` shows; must be the pod's own."""
    identity = spiffe.of_proxy(cluster.exec(probe.name, NAMESPACE, predictors.SIDECAR, *ENVOY_CERTIFICATES))
    expected = spiffe.workload(NAMESPACE, probe.name)
    assert identity and identity.endswith(expected), f"the sidecar's certificate is of {identity}, not of {expected}"
    return identity


def service_call(cluster: Cluster, probe: Probe, model: ServedModel, facts: dict[str, Fact]) -> Call:
    url = f"http://{predictors.service_url(cluster, model)}"
    answer = call(probe.host(cluster), url, seconds=MESH_SECONDS if probe.mesh else 5)
    facts["call"], facts["answer"] = url, answer.summary
    return answer


def test_plaintext_to_pod(
    cluster: Cluster,
    probe_pods: None,
    predictor: Predictor,
    may_be_kept_out: bool,
    typical_model: ServedModel,
    facts: dict[str, Fact],
) -> None:
    """A plain-text call from outside the mesh straight to a pod of {typical_model.name} is refused."""
    answer = call(PLAIN.host(cluster), f"http://{predictor.url}")
    facts["call"], facts["answer"] = f"http://{predictor.url}", answer.summary
    refused = answer.reset or (answer.dropped and may_be_kept_out)
    assert refused, f"it was not cut by the other side: {answer.summary}"


def test_plaintext_to_service(
    cluster: Cluster, probe_pods: None, may_be_kept_out: bool, typical_model: ServedModel, facts: dict[str, Fact]
) -> None:
    """A plain-text call from outside the mesh to the Service of {typical_model.name} is refused."""
    answer = service_call(cluster, PLAIN, typical_model, facts)
    refused = answer.reset or (answer.dropped and may_be_kept_out)
    assert refused, f"it was not cut by the other side: {answer.summary}"


def test_certificate_demanded(
    cluster: Cluster,
    probe_pods: None,
    predictor: Predictor,
    may_be_kept_out: bool,
    typical_model: ServedModel,
    facts: dict[str, Fact],
) -> None:
    """A pod of {typical_model.name} proves its own SPIFFE ID and answers nobody who shows no certificate."""
    answer = call(PLAIN.host(cluster), f"https://{predictor.url}", "--verbose")
    if answer.dropped and may_be_kept_out:
        not_asked(KEPT_OUT)
    identity = spiffe.in_certificate_chain(answer.certificates)
    facts["SPIFFE ID of the server"] = identity or "none"
    facts["without a certificate"] = answer.summary
    assert identity, f"the server showed no SPIFFE ID: {answer.summary}"
    expected = spiffe.workload(predictor.namespace, predictor.service_account)
    assert identity.endswith(expected), f"the server is {identity}, its pod's account is {expected}"
    assert answer.demands_certificate, f"the server did not insist on a client certificate: {answer.summary}"


def test_known_identity(
    cluster: Cluster, probe_pods: None, policies: list[Document], typical_model: ServedModel, facts: dict[str, Fact]
) -> None:
    """The same call from inside the mesh, under an identity that may call {typical_model.name}, is answered."""
    if policies and not names_client(policies):
        not_asked(f"no AuthorizationPolicy lets {CLIENT.source} call: name it among the model's callers")
    facts["SPIFFE ID of the caller"] = caller_identity(cluster, CLIENT)
    answer = service_call(cluster, CLIENT, typical_model, facts)
    assert answer.status == 200, f"it was answered {answer.summary}"


def test_unknown_identity(
    cluster: Cluster,
    probe_pods: None,
    policies: list[Document],
    may_be_kept_out: bool,
    typical_model: ServedModel,
    facts: dict[str, Fact],
) -> None:
    """A caller in the mesh whose identity no policy of {typical_model.name} names is told 403."""
    if not policies:
        not_asked("the stack has no AuthorizationPolicy that lists who may call")
    facts["SPIFFE ID of the caller"] = caller_identity(cluster, STRANGER)
    answer = service_call(cluster, STRANGER, typical_model, facts)
    if may_be_kept_out and (answer.timed_out or answer.status >= 500):
        not_asked(KEPT_OUT)
    assert answer.status == 403, f"it was answered {answer.summary}"
    assert "RBAC" in answer.body, f"the 403 is not the mesh's own: {answer.body[:200]}"
