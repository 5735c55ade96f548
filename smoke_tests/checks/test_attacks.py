"""Attempts from inside the cluster: each is refused by whom it must be, and its control shows that the thing is up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from smoke_tests.attacks import ground, guard, model_server, plaintext
from smoke_tests.attacks.model_server import ServerAttempt
from smoke_tests.attacks.places import found
from smoke_tests.attacks.plaintext import Port
from smoke_tests.attacks.requests import ApiAttempt
from smoke_tests.attacks.traffic import CallAttempt, attempts
from smoke_tests.calls import Call, call
from smoke_tests.cluster import Cluster
from smoke_tests.environment import Environment
from smoke_tests.evidence import Fact, Group
from smoke_tests.gateway import openai_client
from smoke_tests.plugin import CLUSTER, ENVIRONMENT, ONLY
from smoke_tests.predictors import replica
from smoke_tests.probes import PLAIN, Probe

GROUP = Group.ATTACKS
AT_ONCE = 6
SECONDS = 4
INSIDE_URL = "https://kubernetes.default.svc.cluster.local/version"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every attempt is a check of its own. What is tried depends on what runs, so the cluster is asked."""
    wanted: dict[str, Callable[[Environment, Cluster], list[Any]]] = {
        "api_attempt": ground.api_attempts,
        "port": lambda e, c: plaintext.ports(c, e.outputs.all_namespaces),
        "call_attempt": lambda e, c: attempts(found(e, c)),
        "server_attempt": lambda e, c: ground.server_attempts(e, c),
    }
    stash = metafunc.config.stash
    asked = not stash[ONLY] or GROUP in stash[ONLY]
    for name in wanted.keys() & set(metafunc.fixturenames):
        values = wanted[name](stash[ENVIRONMENT], stash[CLUSTER]) if asked else [Untried()]
        metafunc.parametrize(name, values, ids=str)


class Untried:
    """Stands for all attempts of one kind where none is asked for: the cluster is not asked either."""

    sentence = "All attempts of this kind."

    def __str__(self) -> str:
        return "any port"


def params_of(request: pytest.FixtureRequest, name: str) -> list[Any]:
    """The values of parameter ``name`` in all checks of this run."""
    specs = [i.callspec for i in request.session.items if isinstance(i, pytest.Function) and hasattr(i, "callspec")]
    return [s.params[name] for s in specs if name in s.params]


@pytest.fixture(scope="module")
def pool() -> Iterator[ThreadPoolExecutor]:
    """Calls that are dropped only end by their time: several wait at once."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield pool


@pytest.fixture(scope="module")
def awake(environment: Environment) -> None:
    """Every model runs: nobody is refused by a model that is not there."""
    for model in environment.outputs.models:
        with openai_client(environment, model) as client:
            client.models.list()


def test_api_attempt(cluster: Cluster, api_attempt: ApiAttempt, facts: dict[str, Fact]) -> None:
    """Refused: {api_attempt.sentence}"""
    control = api_attempt.control.ask(cluster, api_attempt.control_identity)
    assert control is None, f"even the control is refused: {control}"
    refusal = api_attempt.attack.ask(cluster, api_attempt.identity)
    assert refusal, "it would be done"
    by = guard.of_api(refusal.message)
    facts["refused by"] = by or "nobody that is known"
    facts["refusal"] = refusal.message[-400:]
    assert by in api_attempt.guards, f"{by or 'nobody known'} refused it, and not {expected(api_attempt.guards)}"


@pytest.fixture(scope="module")
def plain_calls(
    request: pytest.FixtureRequest, cluster: Cluster, pool: ThreadPoolExecutor, probe_pods: None
) -> dict[str, Future[Call]]:
    host = PLAIN.host(cluster)
    control = call(host, INSIDE_URL)
    assert control.connected, f"the pod outside the mesh reaches nothing at all: {control.summary}"
    return {str(p): pool.submit(call, host, p.url, seconds=SECONDS) for p in params_of(request, "port")}


def test_plaintext(port: Port, plain_calls: dict[str, Future[Call]], facts: dict[str, Fact]) -> None:
    """Refused: A pod outside the mesh speaks plaintext to {port}."""
    answer = plain_calls[str(port)].result()
    facts["control: Ready endpoints"] = port.endpoints
    facts["answer"] = answer.summary
    by = guard.of_call(answer, through_sidecar=False)
    if by is None and (reason := plaintext.OPEN.get((port.service, port.port))):
        facts["open on purpose"] = reason
        return
    facts["refused by"] = by or "nobody"
    asked = (guard.Guard.NETWORK_POLICY, guard.Guard.MUTUAL_TLS, guard.Guard.TLS)
    assert by in asked, f"it was answered {answer.summary}: {answer.body[:100]}"


@pytest.fixture(scope="module")
def calls(
    request: pytest.FixtureRequest, cluster: Cluster, pool: ThreadPoolExecutor, probe_pods: None, awake: None
) -> dict[tuple[str, ...], Future[Call]]:
    """The calls of all attempts and of their controls, each made once."""
    tried = params_of(request, "call_attempt")
    wanted = {attack(a): a.source for a in tried} | {control(a): a.control_source for a in tried}
    return {key: pool.submit(made, cluster, source, key) for key, source in wanted.items()}


def attack(attempt: CallAttempt) -> tuple[str, ...]:
    return attempt.source.name, attempt.url, *attempt.options


def control(attempt: CallAttempt) -> tuple[str, ...]:
    return attempt.control_source.name, attempt.control


def made(cluster: Cluster, source: Probe, key: tuple[str, ...]) -> Call:
    _, url, *options = key
    return call(source.host(cluster), url, *options, seconds=SECONDS)


def test_call(call_attempt: CallAttempt, calls: dict[tuple[str, ...], Future[Call]], facts: dict[str, Fact]) -> None:
    """Refused: {call_attempt.sentence}"""
    allowed, answer = calls[control(call_attempt)].result(), calls[attack(call_attempt)].result()
    facts[f"control: {call_attempt.control_source.name}"] = allowed.summary
    facts["attempt"] = " ".join((*call_attempt.options, call_attempt.url))
    facts["answer"] = answer.summary
    assert allowed.status == 200, f"the control is answered {allowed.summary}: {allowed.body[:200]}"
    by = guard.of_call(answer, through_sidecar=call_attempt.source.mesh)
    facts["refused by"] = by or "nobody"
    told = f"{by or 'nobody'} refused it, and not {expected(call_attempt.guards)}: {answer.summary} {answer.body[:200]}"
    assert by in call_attempt.guards, told


@pytest.fixture(scope="module")
def server_answers(
    request: pytest.FixtureRequest, environment: Environment, cluster: Cluster, awake: None
) -> dict[str, str]:
    """What the model server's own Python got, controls included."""
    server = replica(cluster, environment.outputs.models[0])
    assert server, "the model has no Ready replica"
    tried = [*model_server.CONTROLS, *params_of(request, "server_attempt")]
    return dict(zip(map(str, tried), model_server.answers(cluster, server, tried), strict=True))


def test_model_server(server_attempt: ServerAttempt, server_answers: dict[str, str], facts: dict[str, Fact]) -> None:
    """Refused: {server_attempt.sentence}"""
    for control in model_server.CONTROLS:
        facts[f"control: {control}"] = server_answers[str(control)]
        assert server_answers[str(control)].startswith("answered"), f"{control}: {server_answers[str(control)]}"
    answer = server_answers[str(server_attempt)]
    facts["answer"] = answer
    facts["refused by"] = server_attempt.guard
    assert answer.startswith("refused"), answer


def expected(guards: frozenset[guard.Guard]) -> str:
    return " or ".join(sorted(guards))
