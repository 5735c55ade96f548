"""Nothing answers from outside the gap, and nothing but these checks tries to get there."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import pytest
import testinfra
from testinfra.host import Host

from smoke_tests import rollout, slow_start
from smoke_tests.calls import Call, call, resolver_answers
from smoke_tests.cluster import Cluster
from smoke_tests.egress import OUTSIDE_RESOLVER, OUTSIDE_URLS, EgressLog, unexplained
from smoke_tests.environment import Environment
from smoke_tests.evidence import Fact, Group
from smoke_tests.gateway import openai_client
from smoke_tests.plugin import not_asked
from smoke_tests.probes import CLIENT, PLAIN, PROBES, Probe

GROUP = Group.EGRESS
INSIDE_URL = "https://kubernetes.default.svc.cluster.local/version"


def outside(host: Host) -> dict[str, Call]:
    """What became of a call to every place outside, by its URL; all at once, so that time-outs do not add up."""
    with ThreadPoolExecutor() as pool:
        return dict(zip(OUTSIDE_URLS, pool.map(lambda url: call(host, url), OUTSIDE_URLS), strict=True))


def judge(calls: dict[str, Call], *, resolver: bool, through_sidecar: bool, facts: dict[str, Fact]) -> Iterable[str]:
    """The places that were reached; writes down what became of each attempt."""
    for url, answer in calls.items():
        facts[url] = answer.summary
        if answer.reached(through_sidecar=through_sidecar):
            yield f"{url} ({answer.summary})"
    place = f"{OUTSIDE_RESOLVER}:53"
    facts[place] = "answered" if resolver else "no answer"
    if resolver:
        yield place


def check(host: Host, *, through_sidecar: bool, facts: dict[str, Fact]) -> None:
    resolver = resolver_answers(host, OUTSIDE_RESOLVER)
    reached = list(judge(outside(host), resolver=resolver, through_sidecar=through_sidecar, facts=facts))
    assert not reached, f"reached: {', '.join(reached)}"


def check_pod(cluster: Cluster, probe: Probe, facts: dict[str, Fact]) -> None:
    host = probe.host(cluster)
    control = call(host, INSIDE_URL)
    facts["control: a name inside"] = control.summary
    assert control.status in (200, 401, 403), f"even a name inside does not answer this pod: {control.summary}"
    check(host, through_sidecar=probe.mesh, facts=facts)


@pytest.mark.usefixtures("probe_pods")
def test_from_mesh(cluster: Cluster, facts: dict[str, Fact]) -> None:
    """No address or name outside the gap answers a pod in the mesh; a name inside does."""
    check_pod(cluster, CLIENT, facts)


@pytest.mark.usefixtures("probe_pods")
def test_from_plain_pod(cluster: Cluster, facts: dict[str, Fact]) -> None:
    """No address or name outside the gap answers a pod outside the mesh; a name inside does."""
    check_pod(cluster, PLAIN, facts)


def test_from_this_machine(environment: Environment, facts: dict[str, Fact]) -> None:
    """No address or name outside the gap answers the machine from which this was run; the gateway does."""
    with openai_client(environment, environment.outputs.models[0]) as client:
        facts["control: the gateway"] = f"names {', '.join(m.id for m in client.models.list())}"
    check(testinfra.get_host("local://"), through_sidecar=False, facts=facts)


def test_attempts(environment: Environment, cluster: Cluster, facts: dict[str, Fact]) -> None:
    """The site's own account of packets and DNS questions holds no attempt to leave but those of these checks."""
    if environment.egress is None:
        not_asked("the site gave no account of attempted egress (--egress FILE)")
    log = EgressLog.read(environment.egress)
    ranges = [cidr for c in cluster.items("servicecidrs.networking.k8s.io") for cidr in c["spec"]["cidrs"]]
    trials = [(n, m.namespace) for n in (rollout.NAME, slow_start.NAME) for m in environment.outputs.models]
    packets, questions = unexplained(log, probes=[p.source for p in PROBES], inside=ranges, trials=trials)
    facts["attempts in the account"] = len(log.packets) + len(log.dns)
    facts["of these by the platform"] = len(packets) + len(questions)
    found = [f"{p.source} to {p.destination} {p.protocol}/{p.port} ({p.packets} packets)" for p in packets]
    found += [f"{q.source} asked for {q.name}" for q in questions]
    assert not found, "; ".join(found[:10])
