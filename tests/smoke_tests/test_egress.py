from __future__ import annotations

from pathlib import Path

import pytest

from mirror.errors import BadInput
from smoke_tests.egress import EgressLog, Packets, Question, unexplained

PROBE = "sealift-smoke/client"


def packets(source: str, destination: str) -> Packets:
    return Packets(source=source, destination=destination, protocol="tcp", port=443, packets=3)


def test_attempts_of_the_probes_are_explained_and_those_of_a_model_are_not() -> None:
    leak = packets("models/chat-1", "1.1.1.1")
    log = EgressLog(packets=[packets(PROBE, "1.1.1.1"), leak])
    assert unexplained(log, probes=[PROBE]) == ([leak], [])


def test_an_address_of_the_clusters_services_is_no_way_out() -> None:
    log = EgressLog(packets=[packets("models/chat-1", "10.96.3.4")])
    assert unexplained(log, probes=[], inside=["10.96.0.0/16"]) == ([], [])
    assert unexplained(log, probes=[])[0]


def test_the_machine_may_ask_for_the_places_of_the_checks_and_for_no_other() -> None:
    leak, question = packets("site", "9.9.9.9"), Question(source="site", name="pypi.test.")
    log = EgressLog(
        packets=[packets("site", "1.1.1.1"), leak], dns=[Question(source="site", name="huggingface.co."), question]
    )
    assert unexplained(log, probes=[]) == ([leak], [question])


def test_names_inside_the_cluster_are_not_egress_and_others_are() -> None:
    outside = Question(source="models/chat-1", name="stats.vllm.ai")
    inside = [
        Question(source="models/chat-1", name=n)
        for n in ("a.b.svc.cluster.local.", "cluster.local", "chat", "istiod.istio-system.svc.")
    ]
    assert unexplained(EgressLog(dns=[*inside, outside]), probes=[]) == ([], [outside])


def test_services_of_models_that_the_checks_removed_are_not_egress_and_their_like_outside_are() -> None:
    def asked(*names: str) -> list[Question]:
        return [Question(source="knative-serving/autoscaler", name=n) for n in names]

    gone = asked("sealift-trial-predictor-00003-private.models.", "sealift-trial-predictor.models")
    others = asked(
        "sealift-trial-predictor.elsewhere.", "sealift-trial.models.", "sealift-trial-predictor.models.test."
    )
    log = EgressLog(dns=[*gone, *others])
    assert unexplained(log, probes=[], trials=[("sealift-trial", "models")]) == ([], others)
    assert unexplained(log, probes=[]) == ([], [*gone, *others])


def test_an_account_with_an_unknown_field_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "egress.json"
    path.write_text('{"packets": [], "ndp": []}')
    with pytest.raises(BadInput, match="ndp"):
        EgressLog.read(path)
