"""Every namespace of the platform, with its Pod Security profile, before anything is put into it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from .documents import Document
from .manifests import Registered, register
from .network import platform_policies
from .site import Site

PRIVILEGED = "istio-cni"
"""The one namespace whose pods touch the node: Istio's CNI plugin has to install itself there."""
INJECTED = ("knative-serving",)
"""Platform namespaces in the mesh: Knative's activator and autoscaler speak mTLS to the models."""
PLATFORM = ("cert-manager", "istio-system", PRIVILEGED, "knative-serving", "kserve")


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


class Namespaces(pulumi.ComponentResource):
    """All namespaces and the platform's NetworkPolicies."""

    registered: Registered

    def __init__(self, name: str, args: NamespacesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sealift:index:Namespaces", name, None, opts)
        names = [*PLATFORM, *sorted(set(args.models))]
        documents = [namespace(n, args.site.receipt.kubernetes) for n in names]
        made = register(args.site, documents, self)
        policies = register(args.site, platform_policies(), self, made.ready)
        self.registered = Registered(made.objects | policies.objects, made.ready)
        self.register_outputs({"names": names})
