"""Who may call a model, and which of the paths that its server opens: the one source for its pods and the activator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from .authorization import Rule, allow, rule
from .documents import Document
from .flows import AUTOSCALING_METRICS, MODEL_SERVER, QUEUE_PROXY, Flow, Pods, caller_flow
from .identities import ACTIVATOR, AUTOSCALER, GATEWAY, principal

Mode = Literal["Standard", "Knative"]
Task = Literal["generate", "embed"]

# vLLM serves more than the OpenAI API on the same port, some of it without any authentication
# (/invocations, /pooling, /score, /pause, /update_weights): these paths are reachable and no other.
_ALWAYS = ("/v1/models", "/v1/models/*")
OPENAI_PATHS: dict[Task, tuple[str, ...]] = {
    "generate": (
        *_ALWAYS,
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/responses",
        "/v1/responses/*",
        "/v1/audio/*",
    ),
    "embed": (*_ALWAYS, "/v1/embeddings", "/v1/rerank"),
}
METHODS = ("GET", "POST")
PROBE_PATHS = ("/healthz", "//healthz")
"""Where Knative's probes ask the activator and queue-proxy; the model server never sees it. The autoscaler doubles the
slash."""


@dataclass(frozen=True)
class Called:
    """A model, as far as it matters to its callers. ``callers`` are service accounts, ``namespace/name``."""

    name: str
    namespace: str
    mode: Mode
    task: Task
    callers: tuple[str, ...] = ()

    @property
    def principals(self) -> list[str]:
        """Of the callers that the stack names."""
        return [principal(c) for c in self.callers]

    @property
    def port(self) -> int:
        """At which its pods take requests."""
        return QUEUE_PROXY if self.mode == "Knative" else MODEL_SERVER


def authorization(called: Called) -> Document:
    """The policy of the model's pods."""
    paths, port = OPENAI_PATHS[called.task], [called.port]
    through = [GATEWAY, ACTIVATOR] if called.mode == "Knative" else [GATEWAY]
    rules = [rule([*through, *called.principals], ports=port, methods=METHODS, paths=paths)]
    if called.mode == "Knative":
        rules.append(rule(through, ports=port, methods=["GET"], paths=PROBE_PATHS))
        rules.append(rule([AUTOSCALER], ports=[AUTOSCALING_METRICS], methods=["GET"], paths=["/metrics"]))
    reason = f"Model {called.name} is called through the gateway and by the callers that the stack names."
    labels = {"serving.kserve.io/inferenceservice": called.name}
    return allow(f"{called.name}-callers", called.namespace, reason, rules, labels)


def activator_rules(models: Sequence[Called]) -> list[Rule]:
    """Who may call which model by way of the activator.

    The activator forwards for whoever calls it, under its own identity, to the revision that two headers name: a
    model's own policy alone would let any workload of the mesh through (knative-extensions/net-istio, 554). So a
    caller is held to the revisions of the models that it may call; only the gateway and Knative itself are not.
    """
    paths = sorted({path for task in OPENAI_PATHS.values() for path in task})
    rules = [
        rule([GATEWAY], ports=[QUEUE_PROXY], methods=METHODS, paths=paths),
        rule([GATEWAY, AUTOSCALER], ports=[QUEUE_PROXY], methods=["GET"], paths=PROBE_PATHS),
    ]
    for called in models:
        if called.mode == "Knative" and called.callers:
            revisions = {
                "Knative-Serving-Namespace": called.namespace,
                "Knative-Serving-Revision": f"{called.name}-predictor-*",
            }
            own = OPENAI_PATHS[called.task]
            rules.append(rule(called.principals, ports=[QUEUE_PROXY], methods=METHODS, paths=own, headers=revisions))
    return rules


def flows(models: Sequence[Called]) -> list[Flow]:
    """The connections of the callers that the stack names, by namespace: who of a namespace may is for the mesh."""
    return [
        caller_flow(
            Pods(m.namespace, "serving.kserve.io/inferenceservice", (m.name,)),
            sorted({c.partition("/")[0] for c in m.callers}),
            m.port,
            through_activator=m.mode == "Knative",
        )
        for m in models
        if m.callers
    ]
