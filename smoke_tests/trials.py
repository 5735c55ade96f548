"""Models of the checks' own, made like one of the stack's: the same weights, runtime and rules, another name."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import openai

from mirror.text import merged

from . import account, gateway_rules, keys
from .authorization import KIND as POLICIES
from .cluster import INFERENCE_SERVICE, INFERENCE_SERVICES, Cluster, Document, wait_until
from .environment import Environment, ServedModel
from .gateway import openai_client
from .predictors import MODEL_SERVER

_FEATURES = "features.knative.dev/"
_RUNTIMES = "clusterservingruntimes.serving.kserve.io"
_OWNER = {"app.kubernetes.io/managed-by": "sealift-smoke"}
_SMALL: dict[str, Any] = {"requests": {"cpu": "150m", "memory": "1Gi"}}
"""A trial is asked little and gone soon; it should fit beside the stack's own models."""
_GONE_SECONDS = 120


@dataclass(frozen=True)
class Trial:
    """A model called ``name``, made like ``like`` and in its mode."""

    environment: Environment
    cluster: Cluster
    like: ServedModel
    name: str
    timeout_seconds: int = 600
    annotations: dict[str, str] = field(default_factory=dict)

    @property
    def model(self) -> ServedModel:
        """The trial as its callers know it."""
        old, new = self.like.name, self.name
        changed = {
            "name": new,
            "served_name": new,
            "url": self.like.url.replace(f"//{old}-predictor-", f"//{new}-predictor-"),
            "service": self.like.service.replace(f"{old}-predictor", f"{new}-predictor"),
            "scale_to_zero": False,
        }
        return self.like.model_copy(update=changed)

    def client(self, *, seconds: float = 120) -> openai.OpenAI:
        """A client of the model, with a key of a tenant that may call the one which this is made like."""
        asked = self.environment.outputs.access.mode == "keys"
        tenant = keys.caller(self.environment, self.like).name if asked else None
        return openai_client(self.environment, self.model, tenant=tenant, seconds=seconds)

    def make(self, *arguments: str, **predictor: Any) -> None:  # noqa: ANN401 - fields of an API object
        """Create the InferenceService or change it: further arguments of the server, and fields of the predictor.

        ``model`` of ``predictor`` is laid over what the server is made of.
        """
        self.cluster.apply(*self._rules(), self.inference_service(arguments, predictor))

    def inference_service(self, arguments: Sequence[str], predictor: Document) -> Document:
        """What :meth:`make` makes."""
        like = self.cluster.get(INFERENCE_SERVICES, self.like.name, "-n", self.like.namespace)
        kept = ("automountServiceAccountToken", "hostUsers", "priorityClassName", "securityContext")
        original = like["spec"]["predictor"]
        served = {k: original["model"][k] for k in ("modelFormat", "runtime", "storageUri")}
        served |= {"args": [*original["model"].get("args", []), *arguments], "resources": _SMALL}
        own = {k: v for k, v in predictor.items() if k != "model"}
        spec = {k: original[k] for k in kept if k in original}
        spec |= {"minReplicas": 1, "maxReplicas": 1, "timeout": self.timeout_seconds, **own}
        spec["model"] = merged(served, predictor.get("model", {}))
        features = {k: v for k, v in like["metadata"].get("annotations", {}).items() if k.startswith(_FEATURES)}
        annotations = {"serving.kserve.io/deploymentMode": self.like.mode, **features, **self.annotations}
        metadata = {"name": self.name, "namespace": self.like.namespace, "labels": _OWNER, "annotations": annotations}
        return {
            "apiVersion": like["apiVersion"],
            "kind": like["kind"],
            "metadata": metadata,
            "spec": {"predictor": spec},
        }

    def startup_probe(self, seconds: int) -> Document:
        """Its runtime's own, leaving the server ``seconds`` to start."""
        original = self.cluster.get(INFERENCE_SERVICES, self.like.name, "-n", self.like.namespace)
        runtime = self.cluster.get(_RUNTIMES, original["spec"]["predictor"]["model"]["runtime"])
        probe: Document = next(c for c in runtime["spec"]["containers"] if c["name"] == MODEL_SERVER)["startupProbe"]
        return {**probe, "failureThreshold": math.ceil(seconds / probe["periodSeconds"])}

    def state(self) -> State:
        """The model as KServe sees it."""
        return State.of(self.cluster.get(INFERENCE_SERVICES, self.name, "-n", self.like.namespace))

    def account(self) -> str:
        """How it stands, for whoever waited for it in vain."""
        return account.of(self.cluster, self.name, self.like.namespace)

    def crash(self, revision: str) -> str:
        """How the model server of ``revision`` ended the last time; empty if it has not.

        Knative itself says nothing before its deadline for the revision is over.
        """
        pods = self.cluster.items("pods", "-n", self.like.namespace, "-l", f"serving.knative.dev/revision={revision}")
        for status in (s for p in pods for s in p["status"].get("containerStatuses") or []):
            ended = status.get("lastState", {}).get("terminated")
            if status["name"] == MODEL_SERVER and ended:
                return f"{ended.get('reason', 'Ended')}, exit code {ended['exitCode']}"
        return ""

    def remove(self) -> None:
        """Delete all of it and wait until its pods are gone."""
        for document in [*self._rules(), {"kind": INFERENCE_SERVICES, "metadata": {"name": self.name}}]:
            where = document["metadata"].get("namespace", self.like.namespace)
            self.cluster.delete(f"{document['kind']}/{document['metadata']['name']}", namespace=where)
        wait_until(lambda: not self._pods(), seconds=_GONE_SECONDS, every=2)

    def _pods(self) -> list[Document]:
        return self.cluster.items("pods", "-n", self.like.namespace, "-l", f"{INFERENCE_SERVICE}={self.name}")

    def _rules(self) -> list[Document]:
        """Who may call the model which this one is made like may call this one: at its pods, and at the gateway."""
        at_model = self.cluster.items(POLICIES, "-n", self.like.namespace)
        copies = [self._copied(p) for p in at_model if _selected(p) == self.like.name]
        return [*copies, *gateway_rules.copied(self.cluster, self.like, self.model, _OWNER)]

    def _copied(self, policy: Document) -> Document:
        name = f"{self.name}-{policy['metadata']['name']}"
        spec = merged(policy["spec"], {"selector": {"matchLabels": {INFERENCE_SERVICE: self.name}}})
        metadata = {"name": name, "namespace": self.like.namespace, "labels": _OWNER}
        return {"apiVersion": policy["apiVersion"], "kind": policy["kind"], "metadata": metadata, "spec": spec}


@dataclass(frozen=True)
class State:
    """Of an InferenceService in Knative mode."""

    ready: bool
    newest: str
    """The revision that was made last."""
    newest_ready: str
    """The one that was made last of those that became ready."""
    traffic: dict[str, int]
    """Percent by revision."""

    @property
    def settled(self) -> bool:
        """Ready, and it is the newest revision that is."""
        return self.ready and self.newest == self.newest_ready != ""

    @classmethod
    def of(cls, inference_service: Document) -> State:
        """As its status says. Its observedGeneration is not its own but that of Knative's Service: it says nothing."""
        status = inference_service.get("status") or {}
        predictor = (status.get("components") or {}).get("predictor") or {}
        traffic: dict[str, int] = {}
        for target in predictor.get("traffic") or []:
            name = target.get("revisionName", "")
            traffic[name] = traffic.get(name, 0) + target.get("percent", 0)
        conditions = status.get("conditions") or []
        return cls(
            ready=any(c["type"] == "Ready" and c["status"] == "True" for c in conditions),
            newest=predictor.get("latestCreatedRevision", ""),
            newest_ready=predictor.get("latestReadyRevision", ""),
            traffic=traffic,
        )


def _selected(policy: Document) -> str | None:
    labels: dict[str, str] = policy["spec"].get("selector", {}).get("matchLabels", {})
    return labels.get(INFERENCE_SERVICE)
