"""The configuration of one environment, read strictly: what is not said is secure, and nothing here weakens it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from mirror.document import Strict, validate
from mirror.errors import BadInput

from .access import AccessConfig, LimitsConfig, TenantConfig, fits
from .surroundings import Block, EgressConfig, Label, PeerConfig

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
    task: Literal["generate", "embed"] = "generate"
    """What the model is for: which part of the OpenAI API is open."""
    canaryTrafficPercent: int | None = Field(default=None, ge=0, le=100)
    """Of the requests, how many in a hundred go to the newest revision; the rest stay with the one before."""
    minReplicas: int = Field(default=1, ge=0)
    maxReplicas: int = Field(default=1, ge=1)
    args: list[str] = []
    """Further arguments of the model server."""
    resources: dict[str, dict[str, str]] = {}
    """Kubernetes resources (requests, limits) of the model server, laid over the size's."""
    timeout: int = Field(default=600, ge=1, le=3600)
    """Seconds that one request may take, a cold start included."""
    startTimeout: int = Field(default=600, ge=1, le=3600)
    """Seconds that the model server may take to start before it is ended and started anew."""
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
        if self.minReplicas == 0 and self.startTimeout > self.timeout:
            raise ValueError(
                f"timeout {self.timeout} is less than startTimeout {self.startTimeout}: "
                "with minReplicas 0 a first request would be given up while the model still starts"
            )
        if self.mode == "Standard" and self.canaryTrafficPercent is not None:
            raise ValueError("canaryTrafficPercent needs mode Knative: Standard has one revision only")
        if "-predictor-" in self.name:
            raise ValueError("name holds '-predictor-', by which Knative tells the revisions of two models apart")
        if len(f"{self.name}-predictor-{self.namespace}") > 63:
            raise ValueError("name and namespace together are too long for one DNS label (63 with '-predictor-')")
        return self


class EngineersConfig(Strict):
    """A group of ML engineers and where they work."""

    group: str = Field(min_length=1)
    """As the cluster's authentication names it."""
    namespaces: list[Label] = Field(min_length=1)
    """Namespaces in which they may make, change and delete models; made by the stack, as a model's own is."""


class BreakGlassConfig(Strict):
    """An emergency: the group sealift:break-glass may act until it is over (docs/break-glass.md)."""

    reason: str = Field(min_length=1)
    """What has happened; stands on the binding."""
    until: AwareDatetime
    """With its time zone; a stack whose time is over is refused until this is removed."""


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
    apiServer: list[Block] = []
    """Where pods reach the API server; empty: the addresses that the cluster's own EndpointSlice says."""
    webhookCallers: list[PeerConfig] = []
    """From where the API server calls admission webhooks; empty: its own nodes, with their overlay's addresses."""
    dns: list[PeerConfig] = []
    """The cluster's DNS servers; empty: the pods of kube-system that carry k8s-app=kube-dns."""
    egress: list[EgressConfig] = []
    """What may be reached outside the cluster, each with its reason; empty: nothing."""
    userNamespaces: Literal["auto", "none"] = "auto"
    """auto: model servers in Standard mode get a user namespace of their own where every node can give one."""
    models: list[ModelConfig] = []
    access: AccessConfig | None = None
    """Whose keys open the gateway; None: it is closed."""
    tenants: list[TenantConfig] = []
    """Who may call which models through the gateway."""
    limits: LimitsConfig = LimitsConfig()
    gatewayOpenToAnyoneWhoReachesIt: bool = False
    """Nobody is asked for a key: every model answers whoever can connect."""
    engineers: list[EngineersConfig] = []
    """Groups that may make models, each in its namespaces."""
    auditors: list[str] = []
    """Groups that may read everything but Secrets."""
    operators: list[str] = []
    """Groups that keep the platform running: they read as auditors do, end pods, scale, and change models."""
    breakGlass: BreakGlassConfig | None = None
    """Grants emergency rights while it is there."""
    unguardedNamespaces: list[Label] = []
    """Namespaces of others in which no rule of admission holds, beside kube-system, kube-public, kube-node-lease."""
    unverifiedModelSources: list[str] = []
    """Beginnings of a storageUri, as pvc://weights/, whose models need not be in the receipt."""
    earlierReceipts: list[Path] = []
    """Receipts whose images may still run, while an upgrade can be rolled back; relative to stacks/."""
    values: dict[str, dict[str, Any]] = {}
    """Helm values by part, laid over the distribution's. An image that they bring in must be in the receipt."""

    @model_validator(mode="after")
    def _unique(self) -> StackConfig:
        named = [(m.namespace, m.name) for m in self.models]
        for namespace, name in {n for n in named if named.count(n) > 1}:
            raise ValueError(f"model {namespace}/{name} is listed {named.count((namespace, name))} times")
        for need in {n.name for n in self.egress if [e.name for e in self.egress].count(n.name) > 1}:
            raise ValueError(f"egress {need} is listed more than once")
        if self.nodePort is not None and self.serviceType == "ClusterIP":
            raise ValueError("nodePort needs serviceType NodePort or LoadBalancer")
        fits(self.access, self.tenants, self.model_keys, is_open=self.gatewayOpenToAnyoneWhoReachesIt)
        return self

    @property
    def model_keys(self) -> list[str]:
        """The models as ``namespace/name``."""
        return [f"{m.namespace}/{m.name}" for m in self.models]


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
