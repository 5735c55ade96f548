"""KServe: its types and its controller, set for Gateway API ingress and for models in Standard and Knative mode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from mirror.text import merged

from . import places
from .documents import Document, edited, with_json_data
from .ingress import GATEWAY_NAME
from .istio import NAMESPACE as ISTIO
from .manifests import Registered, register
from .site import Site

NAMESPACE = places.KSERVE
_MANAGER = f"deployment/{NAMESPACE}/kserve-controller-manager"
_CONFIG = f"configmap/{NAMESPACE}/inferenceservice-config"


@dataclass(frozen=True)
class KServeArgs:
    """What depends on the site."""

    site: Site
    domain: str
    after: Sequence[pulumi.Resource] = ()
    """For the types."""
    platform: Sequence[pulumi.Resource] = ()
    """cert-manager, and the types of Knative, Istio and the Gateway API: the manager looks once, when it starts."""


class KServe(pulumi.ComponentResource):
    """CRDs and controller. ``ready`` is the controller with its webhooks installed."""

    registered: Registered
    ready: list[pulumi.Resource]

    def __init__(self, name: str, args: KServeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sealift:index:KServe", name, None, opts)
        site = args.site
        types = register(site, site.documents("kserve-crd"), self, args.after)
        resources = configured(site.documents("kserve", values(args)))
        made = register(site, resources, self, [*types.ready, *args.platform])
        self.ready = made.ready
        self.registered = Registered(types.objects | made.objects, made.ready)
        self.register_outputs({"objects": len(self.registered.objects)})


def values(args: KServeArgs) -> dict[str, Any]:
    """Values of the kserve-resources chart."""
    gateway = {
        "domain": args.domain,
        "urlScheme": "https",
        # Knative's own route is the way to a model in Knative mode; a second VirtualService would be one more name.
        "disableIstioVirtualHost": True,
        # The default cuts every stream after 60 s.
        "disableHTTPRouteTimeout": True,
        "ingressGateway": {
            "enableGatewayApi": True,
            "kserveGateway": f"{ISTIO}/{GATEWAY_NAME}",
            "className": "istio",
            "createGateway": False,
        },
    }
    manager = {"limits": {"cpu": "1", "memory": "512Mi"}}
    return {
        "kserve": {
            "controller": {"deploymentMode": "Standard", "gateway": gateway, "resources": manager},
            "security": {"autoMountServiceAccountToken": False},
        }
    }


def configured(documents: Sequence[Document]) -> list[Document]:
    """The chart's documents without images that do not cross the gap, and with a manager that is asked early."""
    return edited(documents, {_CONFIG: _without_explainers, _MANAGER: _asked_early})


def _without_explainers(document: Document) -> Document:
    cleared = {**document, "data": {**document["data"], "explainers": "{}"}}
    return with_json_data({"deploy": {"defaultDeploymentMode": "Standard"}})(cleared)


def _asked_early(document: Document) -> Document:
    """The chart waits 30 s before it first asks; the manager answers after two."""
    containers = document["spec"]["template"]["spec"]["containers"]
    early = [
        merged(c, {"readinessProbe": {"initialDelaySeconds": 2}}) if "readinessProbe" in c else c for c in containers
    ]
    return merged(document, {"spec": {"template": {"spec": {"containers": early}}}})
