"""The whole platform, in order: every step waits for what it needs to be really ready, and for nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pulumi

from .cert_manager import CertManager, CertManagerArgs
from .gateway_api import GatewayApi, GatewayApiArgs
from .ingress import Ingress, IngressArgs, serverless_domain
from .istio import GATEWAY, NAMESPACE, Istio, IstioArgs
from .knative import Knative, KnativeArgs
from .kserve import KServe, KServeArgs
from .manifests import Registered, register
from .model import Model, ModelArgs, principal, sidecar, url
from .namespaces import PLATFORM, Namespaces, NamespacesArgs
from .network import model_policies
from .runtime import Runtimes, RuntimesArgs
from .site import Site


@dataclass(frozen=True)
class PlatformArgs:
    """The platform of one environment. ``istio`` says how the mesh meets the nodes and the way in."""

    site: Site
    domain: str
    models: Sequence[tuple[str, ModelArgs]] = ()
    """Name and arguments of each model; what they come after is filled in here."""
    istio: IstioArgs | None = None
    provider: pulumi.ProviderResource | None = None
    """The Kubernetes provider of every object."""
    after: Sequence[pulumi.Resource] = field(default_factory=list)


class Platform(pulumi.ComponentResource):
    """Namespaces, Gateway API, cert-manager, Istio, Knative, KServe, runtimes and models."""

    outputs: dict[str, Any]
    """What a stack exports: the contract with the smoke tests."""

    def __init__(self, name: str, args: PlatformArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sealift:index:Platform", name, None, opts)
        site, mine = args.site, pulumi.ResourceOptions(parent=self)
        tenants = sorted({m.namespace for _, m in args.models} or {"models"})
        check(site, args.models)

        spaces = Namespaces("namespaces", NamespacesArgs(site, tenants), mine)
        begun = spaces.registered.ready
        gateway_api = GatewayApi("gateway-api", GatewayApiArgs(site, begun), mine)
        routes = gateway_api.registered.ready
        certs = CertManager("cert-manager", CertManagerArgs(site, begun), mine)
        istio_args = replace(args.istio or IstioArgs(site), after=[*begun, *routes])
        istio = Istio("istio", istio_args, mine)
        ingress = Ingress("ingress", IngressArgs(site, args.domain, [*certs.issuer, *istio.gateway]), mine)
        way_in = ingress.registered.ready
        knative_callers = _callers(m for _, m in args.models if m.mode == "Knative")
        knative_args = KnativeArgs(site, args.domain, knative_callers, after=begun, mesh=[*istio.gateway, *way_in])
        knative = Knative("knative", knative_args, mine)
        needed = [*certs.ready, *knative.types, *istio.ready, *routes]
        kserve = KServe("kserve", KServeArgs(site, args.domain, begun, needed), mine)
        runtimes = Runtimes("runtimes", RuntimesArgs(site, [m.runtime for _, m in args.models], kserve.ready), mine)

        fences = register(site, _fences(args.models, tenants), self, istio.ready)
        base = [*runtimes.registered.ready, *kserve.ready, *fences.ready, *way_in]
        models = []
        for model_name, model in args.models:
            # A model in Standard mode does not wait for Knative, which it does not use.
            after = [*base, *knative.ready] if model.mode == "Knative" else base
            models.append((model_name, model, Model(model_name, replace(model, after=after), mine)))

        parts: list[Registered] = [spaces.registered, gateway_api.registered, certs.registered, istio.registered]
        parts += [ingress.registered, knative.registered, kserve.registered, runtimes.registered, fences]
        parts += [m.registered for _, _, m in models]
        self.outputs = {
            "domain": args.domain,
            "gateway": {"namespace": NAMESPACE, "service": GATEWAY, "port": istio.https_port},
            "caCertificate": certs.ca_certificate,
            "models": [_model_output(*m) for m in models],
            "namespaces": {"platform": list(PLATFORM), "models": tenants},
            "serverlessDomain": serverless_domain(args.domain),
            "resources": sum(len(p.objects) for p in parts),
            "receiptBundle": site.receipt.bundle,
        }
        self.register_outputs({"resources": self.outputs["resources"]})


def check(site: Site, models: Sequence[tuple[str, ModelArgs]]) -> None:
    """Raise NotInReceipt for a model or runtime that did not arrive, before anything is registered."""
    for _, model in models:
        site.receipt.model(model.model)
        site.receipt.runtime(model.runtime)


def _fences(models: Sequence[tuple[str, ModelArgs]], tenants: Sequence[str]) -> list[dict[str, Any]]:
    documents = []
    for tenant in tenants:
        callers = {c.partition("/")[0] for _, m in models if m.namespace == tenant for c in m.callers}
        documents += [sidecar(tenant), *model_policies(tenant, sorted(callers - {tenant}))]
    return documents


def _callers(models: Iterable[ModelArgs]) -> list[str]:
    return sorted({principal(c) for m in models for c in m.callers})


def _model_output(name: str, args: ModelArgs, made: Model) -> dict[str, Any]:
    return {
        "name": name,
        "namespace": args.namespace,
        "mode": args.mode,
        "url": made.url,
        "host": url(name, args).removeprefix("https://"),
        "servedName": name,
        "service": made.service,
        "scaleToZero": args.mode == "Knative" and args.min_replicas == 0,
    }
