"""What is said of a model that somebody waited for in vain."""

from __future__ import annotations

from typing import Any

import pytest

from mirror.errors import ToolMissing
from smoke_tests import account
from smoke_tests.cluster import Cluster, Document


class Told(Cluster):
    """A cluster with one model, its pods, and what they wrote."""

    def __init__(self, conditions: list[Document], *pods: Document, wrote: str = "") -> None:
        super().__init__(None)
        for name, value in {"conditions": conditions, "pods": pods, "wrote": wrote}.items():
            object.__setattr__(self, name, value)

    conditions: list[Document]
    pods: tuple[Document, ...]
    wrote: str

    def get(self, *arguments: str) -> Document:
        return {"status": {"conditions": self.conditions}}

    def items(self, *arguments: str) -> list[Document]:
        return list(self.pods)

    def logs(self, *which: str, minutes: int = 15) -> str:
        return self.wrote


class Refusing(Cluster):
    def get(self, *arguments: str) -> Document:
        raise ToolMissing("kubectl get", "the connection was refused", "Start it.")


def pod(name: str, *containers: Document, **status: Any) -> Document:  # noqa: ANN401
    metadata = {"name": name, "namespace": "models"}
    return {"metadata": metadata, "status": {"phase": "Running", "containerStatuses": list(containers), **status}}


def container(name: str, state: Document, *, ready: bool = False, restarts: int = 0) -> Document:
    return {"name": name, "ready": ready, "state": state, "restartCount": restarts}


READY = {"type": "Ready", "status": "True"}
CRASHING = {"waiting": {"reason": "CrashLoopBackOff"}}
RUNNING = {"running": {"startedAt": "2026-01-01T10:00:00Z"}}


@pytest.mark.parametrize(
    ("cluster", "said"),
    [
        (Told([]), "it has no status and no pod"),
        (
            Told([READY, {"type": "PredictorReady", "status": "False", "reason": "RevisionFailed", "message": "no."}]),
            "PredictorReady is False RevisionFailed no.",
        ),
        (
            Told([], pod("a", container("queue-proxy", RUNNING, ready=True), container("kserve-container", CRASHING))),
            "pod a Running: queue-proxy ready, kserve-container waiting CrashLoopBackOff restarts 0",
        ),
        (
            Told(
                [],
                pod("a", container("kserve-container", RUNNING, restarts=2)),
                wrote="[pod/a/kserve-container] loading\n[pod/a/kserve-container] loaded\n[pod/a/istio-proxy] ready\n",
            ),
            "pod a Running: kserve-container running restarts 2 since 2026-01-01T10:00:00Z, last wrote 'loaded'",
        ),
        (
            Told(
                [],
                pod("a", phase="Pending", conditions=[{"type": "PodScheduled", "message": "Insufficient memory"}]),
            ),
            "pod a Pending: Insufficient memory",
        ),
        (Refusing(None), "the connection was refused"),
    ],
    ids=["nothing", "a condition", "a crash", "a slow start", "no room", "no cluster"],
)
def test_a_model_that_is_not_ready_is_accounted_for(cluster: Cluster, said: str) -> None:
    assert account.of(cluster, "sealift-trial", "models") == said
