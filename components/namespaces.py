"""Every namespace of the platform, with its Pod Security profile, before anything is put into it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from . import places
from .bounds import bounds
from .documents import Document
from .flows import Flow
from .manifests import Registered, register
from .network import policies
from .priorities import priority_classes
from .site import Site

PRIVILEGED = places.CNI
INJECTED = (places.KNATIVE,)
"""Platform namespaces in the mesh: Knative's activator and autoscaler speak mTLS to the models."""
PLATFORM = ("cert-manager", "istio-system", PRIVILEGED, "knative-serving", "kserve", places.RULES)


def namespace(name: str, kubernetes: str) -> Document:
    """The Namespace ``name``: Pod Security restricted at the version of ``kubernetes`` (1.34 -> v1.34)."""
    profile = "privileged" if name == PRIVILEGED else "restricted"
    version = "v" + ".".join(kubernetes.removeprefix("v").split(".")[:2])
    labels = {"app.kubernetes.io/part-of": "sealift"}
    for mode in ("enforce", "audit", "warn"):
        labels[f"pod-security.kubernetes.io/{mode}"] = profile
        labels[f"pod-security.kubernetes.io/{mode}-version"] = version
    if name in INJECTED or name not in PLATFORM:
        labels["istio-injection"] = "enabled"
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


@dataclass(frozen=True)
class NamespacesArgs:
    """The namespaces to make."""

    site: Site
    models: Sequence[str]
    """Tenants' namespaces: in the mesh, restricted. The platform's own are always made."""
    flows: Sequence[Flow]
    """What may pass between them, and between them and others; nothing else does."""


class Namespaces(pulumi.ComponentResource):
    """All namespaces with their NetworkPolicies and bounds, before the first pod is there; and the PriorityClasses."""

    registered: Registered

    def __init__(self, name: str, args: NamespacesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sealift:index:Namespaces", name, None, opts)
        names = [*PLATFORM, *sorted(set(args.models))]
        documents = [namespace(n, args.site.receipt.kubernetes) for n in names]
        made = register(args.site, documents, self)
        classes = register(args.site, priority_classes(), self)
        held = [*policies(names, args.flows), *(d for n in names for d in bounds(n, args.site.size))]
        fences = register(args.site, held, self, made.ready)
        objects = made.objects | classes.objects | fences.objects
        self.registered = Registered(objects, [*fences.ready, *classes.ready])
        self.register_outputs({"names": names})
