"""The configuration of one environment, read strictly: what is not said is secure, and nothing here weakens it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from mirror.document import Strict, validate
from mirror.errors import BadInput

Label = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=63)]
Domain = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$")]
Caller = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+/[a-z0-9.-]+$")]


class ModelConfig(Strict):
    """A model of the stack, in five lines or with everything said."""

    name: Label
    """Its name in the OpenAI API, and of its InferenceService."""
    model: str
    """Weights, by name in the receipt."""
    runtime: str
    """Model server, by name in the receipt."""
    namespace: Label = "models"
    mode: Literal["Standard", "Knative"] = "Standard"
    """Standard runs always; Knative scales on requests, to zero if minReplicas is 0."""
    minReplicas: int = Field(default=1, ge=0)
    maxReplicas: int = Field(default=1, ge=1)
    args: list[str] = []
    """Further arguments of the model server."""
    resources: dict[str, dict[str, str]] = {}
    """Kubernetes resources (requests, limits) of the model server, laid over the size's."""
    timeout: int = Field(default=600, ge=1, le=3600)
    """Seconds that one request may take, a cold start included."""
    readyTimeout: int = Field(default=900, ge=1)
    """Seconds that pulumi up waits for the model."""
    callers: list[Caller] = []
    """Service accounts, as namespace/name, that may call it inside the cluster beside the gateway."""
    annotations: dict[str, str] = {}

    @model_validator(mode="after")
    def _fits(self) -> ModelConfig:
        if self.minReplicas > self.maxReplicas:
            raise ValueError(f"minReplicas {self.minReplicas} is more than maxReplicas {self.maxReplicas}")
        if self.mode == "Standard" and self.minReplicas == 0:
            raise ValueError("minReplicas 0 needs mode Knative: Standard has nothing that would start it again")
        if len(f"{self.name}-predictor-{self.namespace}") > 63:
            raise ValueError("name and namespace together are too long for one DNS label (63 with '-predictor-')")
        return self


class StackConfig(Strict):
    """Everything that environments differ by. Keys are ``sealift:<name>`` in Pulumi.<stack>.yaml."""

    receipt: Path
    """receipt.json of ``sealift load``; relative to stacks/."""
    cluster: str | None = None
    """UID of the kube-system namespace of the cluster that this stack belongs to."""
    domain: Domain = "models.internal"
    """Models answer below it; its wildcard must resolve to the ingress gateway."""
    size: Literal["small", "standard"] = "standard"
    serviceType: Literal["LoadBalancer", "NodePort", "ClusterIP"] = "LoadBalancer"
    nodePort: int | None = Field(default=None, ge=1, le=65535)
    cniBinDir: str = "/opt/cni/bin"
    cniConfDir: str = "/etc/cni/net.d"
    models: list[ModelConfig] = []
    values: dict[str, dict[str, Any]] = {}
    """Helm values by part, laid over the distribution's. An image that they bring in must be in the receipt."""

    @model_validator(mode="after")
    def _unique(self) -> StackConfig:
        named = [(m.namespace, m.name) for m in self.models]
        for namespace, name in {n for n in named if named.count(n) > 1}:
            raise ValueError(f"model {namespace}/{name} is listed {named.count((namespace, name))} times")
        if self.nodePort is not None and self.serviceType == "ClusterIP":
            raise ValueError("nodePort needs serviceType NodePort or LoadBalancer")
        return self


def read(values: dict[str, Any], stack: str) -> StackConfig:
    """The configuration of ``stack`` from ``values`` (by key, without ``sealift:``); raises BadInput.

    ``values`` are parsed JSON, as Pulumi gives structured configuration.
    """
    origin = f"Pulumi.{stack}.yaml"
    if "receipt" not in values:
        raise BadInput(
            origin,
            "it says no sealift:receipt, so nothing is known to have arrived",
            "Run sealift load, then: pulumi config set sealift:receipt ../site/receipt.json",
        )
    return validate(StackConfig, values, origin)
