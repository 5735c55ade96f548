"""What is tested: one frozen value made from the stack's outputs, the receipt and a kubeconfig."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from access.issuer import IssuerKey
from mirror.document import validate
from mirror.errors import BadInput, NotInReceipt
from mirror.receipt import Receipt
from mirror.reference import Reference

PRIVILEGED_NAMESPACE = "istio-cni"
"""The one namespace that may be privileged: Istio's CNI plugin installs itself on the node."""
PROBE_IMAGE = "docker.io/curlimages/curl"


class Output(BaseModel):
    """A value of ``pulumi stack output --json``: camelCase there; outputs that the checks do not need are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)


class GatewayService(Output):
    """The Service of the one ingress gateway. ``port`` is its HTTPS port, as the Service or as a node has it."""

    namespace: str
    service: str
    port: int


class ServedModel(Output):
    """A model as its users know it."""

    name: str
    """Of the InferenceService."""
    namespace: str
    mode: Literal["Standard", "Knative"]
    task: Literal["generate", "embed"] = "generate"
    """What it is for."""
    tools: bool = False
    """It was started so that it calls tools."""
    url: str
    """``https://<host>/v1``: the base URL of the OpenAI API."""
    served_name: str
    """What clients send as ``model``."""
    service: str
    """The predictor's Service in the model's namespace, as ``name`` or ``name.namespace``."""
    scale_to_zero: bool

    @property
    def service_name(self) -> str:
        """The predictor's Service, without its namespace."""
        return self.service.partition(".")[0]

    @property
    def key(self) -> str:
        """``namespace/name``."""
        return f"{self.namespace}/{self.name}"

    @property
    def host(self) -> str:
        """The host name that the gateway knows the model by."""
        return urlsplit(self.url).hostname or ""


class Engineers(Output):
    """A group of people who may make models, and where."""

    group: str
    namespaces: list[str]


class TenantAccess(Output):
    """A tenant as the gateway knows it."""

    name: str
    models: list[str]
    """``namespace/name`` of those that it may call."""
    requests_per_minute: int


class GatewayLimits(Output):
    """What the gateway takes of one request, and of all to one model."""

    request_bytes: int
    header_seconds: int
    request_seconds: int
    concurrent_requests: int


class TrustedIssuer(Output):
    """Whose keys the gateway believes."""

    issuer: str
    audiences: list[str]
    tenant_claim: str
    revoked: list[str]
    """Ids of keys that are no longer good."""


class GatewayAccess(Output):
    """How the gateway meets callers: it asks for keys, is open to anybody, or closed to everybody."""

    mode: Literal["keys", "open", "closed"]
    issuers: list[TrustedIssuer]
    tenants: list[TenantAccess]
    limits: GatewayLimits


class StackOutputs(Output):
    """All that the checks take from a stack."""

    domain: str
    gateway: GatewayService
    ca_certificate: str
    """PEM of the authority that signed the gateway's certificate."""
    models: list[ServedModel]
    namespaces: dict[str, list[str]]
    """The platform's own namespaces (``platform``) and the tenants' (``models``)."""
    receipt_bundle: str
    """The bundle that the stack's receipt came from."""
    access: GatewayAccess
    engineers: list[Engineers] = []
    auditors: list[str] = []
    """Groups that read everything but Secrets."""
    operators: list[str] = []
    """Groups that keep the platform running."""
    break_glass: bool = False
    """Whether the group for emergencies has its rights at the moment."""
    stack: str | None = None
    """The stack's name."""

    @property
    def all_namespaces(self) -> list[str]:
        """Sorted."""
        return sorted({name for names in self.namespaces.values() for name in names})

    @classmethod
    def read(cls, path: Path) -> StackOutputs:
        """Read what ``pulumi stack output --json`` printed; raises BadInput."""
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as e:
            raise BadInput(str(path), str(e), "Write it with: pulumi stack output --json > FILE.") from e
        return validate(cls, data, str(path))


@dataclass(frozen=True)
class Environment:
    """One deployed platform, and the way to it."""

    outputs: StackOutputs
    receipt: Receipt
    receipt_sha256: str
    kubeconfig: Path | None
    """None: kubectl's own default."""
    address: str
    """IP address or host name at which the gateway answers."""
    port: int
    egress: Path | None = None
    """The site's own account of attempted egress, if its operator keeps one."""
    issuer_key: IssuerKey | None = None
    """What signs keys for the checks, if the operator lends it."""

    @property
    def probe_image(self) -> str:
        """The client image of the probe pods as it is named inside; raises NotInReceipt."""
        for image in self.receipt.images:
            if Reference.parse(image.reference).name == PROBE_IMAGE:
                return image.mirrored
        raise NotInReceipt(
            f"image {PROBE_IMAGE}",
            f"it never arrived in {self.receipt.registry}",
            "Add the part smoke-client to the catalog, lock, make a bundle and load it.",
        )


def read_receipt(path: Path, outputs: StackOutputs) -> tuple[Receipt, str]:
    """The receipt and its sha256; raises BadInput when the stack was made from another bundle's receipt."""
    receipt = Receipt.read(path)
    if receipt.bundle != outputs.receipt_bundle:
        raise BadInput(
            str(path),
            f"it is of bundle {receipt.bundle}, the stack was made from bundle {outputs.receipt_bundle}",
            "Give the receipt that the stack's configuration names.",
        )
    return receipt, hashlib.sha256(path.read_bytes()).hexdigest()
