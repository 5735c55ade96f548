"""Models of the checks' own: what they take over from the model that they are made like, and what of it is theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from smoke_tests import slow_start
from smoke_tests.cluster import Cluster, Document
from smoke_tests.environment import Environment, ServedModel
from smoke_tests.trials import State, Trial

if TYPE_CHECKING:
    from collections.abc import Callable

HOST = "batch-predictor-models.serverless.example.test"
LIKE = ServedModel(
    name="batch",
    namespace="models",
    mode="Knative",
    url=f"https://{HOST}/v1",
    served_name="batch",
    service="batch-predictor.models",
    scale_to_zero=True,
)
INFERENCE_SERVICE: Document = {
    "apiVersion": "serving.kserve.io/v1beta1",
    "kind": "InferenceService",
    "metadata": {
        "name": "batch",
        "uid": "u",
        "resourceVersion": "7",
        "annotations": {"features.knative.dev/http-full-duplex": "Enabled", "pulumi.com/waitFor": "condition=Ready"},
    },
    "spec": {
        "predictor": {
            "minReplicas": 0,
            "automountServiceAccountToken": False,
            "priorityClassName": "sealift-models",
            "model": {
                "modelFormat": {"name": "vllm"},
                "runtime": "vllm-cpu",
                "storageUri": "oci+native://registry.test/m@sha256:1",
                "args": ["--max-model-len=512"],
                "name": "",
            },
        }
    },
    "status": {},
}
HEALTH = {"httpGet": {"path": "/health", "port": 8080}, "periodSeconds": 4, "failureThreshold": 150}
RUNTIMES: dict[str, Document] = {
    "vllm-cpu": {"spec": {"containers": [{"name": "other"}, {"name": "kserve-container", "startupProbe": HEALTH}]}}
}
AT_MODEL: Document = {
    "apiVersion": "security.istio.io/v1",
    "kind": "AuthorizationPolicy",
    "metadata": {"name": "batch-callers", "namespace": "models", "uid": "u"},
    "spec": {
        "selector": {"matchLabels": {"serving.kserve.io/inferenceservice": "batch"}},
        "action": "ALLOW",
        "rules": [{"from": [{"source": {"principals": ["gateway"]}}]}],
    },
}


def tenant(*hosts: str, action: str = "ALLOW") -> Document:
    rules = [
        {"to": [{"operation": {"hosts": [h, f"{h}:*"], "paths": ["/v1/models"]}}], "when": [{"key": "k"}]}
        for h in hosts
    ]
    return {
        **AT_MODEL,
        "metadata": {"name": "tenant-a", "namespace": "istio-system"},
        "spec": {"selector": {"matchLabels": {"istio": "ingressgateway"}}, "action": action, "rules": rules},
    }


class Recorded(Cluster):
    """A cluster that holds what the trial is made like, and notes what is applied and deleted."""

    def __init__(self) -> None:
        super().__init__(None)
        object.__setattr__(self, "applied", [])
        object.__setattr__(self, "deleted", [])

    applied: list[Document]
    deleted: list[tuple[str, str]]

    def get(self, *arguments: str) -> Document:
        return RUNTIMES[arguments[1]] if arguments[0].startswith("clusterservingruntimes") else INFERENCE_SERVICE

    def items(self, *arguments: str) -> list[Document]:
        if arguments[0] == "pods":
            return []
        return [AT_MODEL] if "models" in arguments else [tenant("chat.example.test", HOST)]

    def apply(self, *documents: Document) -> None:
        self.applied.extend(documents)

    def delete(self, *names: str, namespace: str) -> None:
        self.deleted += [(name, namespace) for name in names]


@pytest.fixture
def recorded() -> Recorded:
    return Recorded()


@pytest.fixture
def trial(make_environment: Callable[[], Environment], recorded: Recorded) -> Trial:
    return Trial(make_environment(), recorded, LIKE, "sealift-trial", annotations={"a": "b"})


def made(recorded: Recorded, kind: str) -> Document:
    [found] = [d for d in recorded.applied if d["kind"] == kind and d["metadata"]["namespace"] == "models"]
    return found


def test_a_trial_has_the_weights_runtime_and_arguments_of_the_other_and_what_is_added(
    trial: Trial, recorded: Recorded
) -> None:
    trial.make("--more", canaryTrafficPercent=10)
    predictor = made(recorded, "InferenceService")["spec"]["predictor"]
    original = INFERENCE_SERVICE["spec"]["predictor"]
    assert predictor["model"]["storageUri"] == original["model"]["storageUri"]
    assert predictor["model"]["args"] == ["--max-model-len=512", "--more"]
    assert (predictor["canaryTrafficPercent"], predictor["minReplicas"]) == (10, 1)
    assert predictor["priorityClassName"] == "sealift-models"
    assert predictor["automountServiceAccountToken"] is False


def test_a_trial_is_an_object_of_its_own(trial: Trial, recorded: Recorded) -> None:
    trial.make()
    metadata = made(recorded, "InferenceService")["metadata"]
    assert set(metadata) == {"name", "namespace", "labels", "annotations"}
    assert metadata["annotations"] == {
        "serving.kserve.io/deploymentMode": "Knative",
        "features.knative.dev/http-full-duplex": "Enabled",
        "a": "b",
    }
    assert (trial.model.host, trial.model.served_name, trial.model.service_name) == (
        "sealift-trial-predictor-models.serverless.example.test",
        "sealift-trial",
        "sealift-trial-predictor",
    )


def test_whoever_may_call_the_other_may_call_the_trial_and_nobody_else(trial: Trial, recorded: Recorded) -> None:
    trial.make()
    inside = made(recorded, "AuthorizationPolicy")["spec"]
    assert inside["selector"]["matchLabels"] == {"serving.kserve.io/inferenceservice": "sealift-trial"}
    assert inside["rules"] == AT_MODEL["spec"]["rules"]
    [outside] = [d for d in recorded.applied if d["metadata"]["namespace"] == "istio-system"]
    [rule] = outside["spec"]["rules"]
    [to] = rule["to"]
    assert to["operation"] == {"hosts": [trial.model.host, f"{trial.model.host}:*"], "paths": ["/v1/models"]}
    assert rule["when"] == [{"key": "k"}]


def test_all_that_was_made_is_removed(trial: Trial, recorded: Recorded) -> None:
    trial.make()
    trial.remove()
    assert {(d["metadata"]["name"], d["metadata"]["namespace"]) for d in recorded.applied} == {
        (name.rpartition("/")[2], namespace) for name, namespace in recorded.deleted
    }


def test_a_slow_model_is_the_same_server_after_a_sleep_and_begins_at_zero(
    make_environment: Callable[[], Environment], recorded: Recorded
) -> None:
    trial = slow_start.trial(make_environment(), recorded, LIKE)
    document = trial.inference_service((), {"minReplicas": 0, "model": {"command": ["x"]}})
    predictor = document["spec"]["predictor"]
    assert document["metadata"]["annotations"]["autoscaling.knative.dev/initial-scale"] == "0"
    assert (predictor["minReplicas"], predictor["timeout"]) == (0, slow_start.PATIENCE)
    assert predictor["model"]["command"] == ["x"]
    assert predictor["model"]["runtime"] == "vllm-cpu"
    assert "time.sleep(310)" in slow_start.late(310)[-1]


def test_a_slow_model_is_given_the_time_by_its_runtimes_own_probe(trial: Trial) -> None:
    assert trial.startup_probe(901) == HEALTH | {"failureThreshold": 226}


def status(newest: str, newest_ready: str, ready: str = "True", **traffic: int) -> Document:
    targets: list[dict[str, Any]] = [{"revisionName": k, "percent": v} for k, v in traffic.items()]
    predictor = {"latestCreatedRevision": newest, "latestReadyRevision": newest_ready, "traffic": targets}
    conditions = [{"type": "Ready", "status": ready}]
    return {"metadata": {"generation": 3}, "status": {"components": {"predictor": predictor}, "conditions": conditions}}


@pytest.mark.parametrize(
    ("document", "settled"),
    [
        (status("b", "b"), True),
        (status("b", "a"), False),
        (status("b", "b", ready="Unknown"), False),
        ({"metadata": {"generation": 1}}, False),
        ({"metadata": {}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}, False),
    ],
    ids=["the newest serves", "an older one serves", "not ready", "nothing said", "no revision"],
)
def test_a_model_is_settled_when_its_newest_revision_is_ready(document: Document, settled: bool) -> None:
    assert State.of(document).settled is settled


def test_traffic_is_added_up_by_revision() -> None:
    assert State.of(status("b", "b", a=90, b=10)).traffic == {"a": 90, "b": 10}
