"""The whole platform, in order: every step waits for what it needs to be really ready, and for nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pulumi

from . import callers, egress, front_door, people
from .admission import Admission, AdmissionArgs, RulesArgs
from .callers import OPENAI_PATHS, Called
from .cert_manager import CertManager, CertManagerArgs
from .egress import Need
from .flows import Flow, Surroundings, platform_flows
from .front_door import Access, Door, FrontDoor, FrontDoorArgs
from .gateway_api import GatewayApi, GatewayApiArgs
from .ingress import Ingress, IngressArgs, serverless_domain
from .istio import GATEWAY, NAMESPACE, Istio, IstioArgs
from .knative import Knative, KnativeArgs
from .kserve import KServe, KServeArgs
from .least_privilege import in_models
from .manifests import Registered, register
from .model import Model, ModelArgs, called, host, sidecar
from .namespaces import PLATFORM, Namespaces, NamespacesArgs
from .people import People, Roles, RolesArgs
from .runtime import Runtimes, RuntimesArgs
from .site import Site
from .surroundings import surroundings


@dataclass(frozen=True)
class PlatformArgs:
    """The platform of one environment. ``istio`` says how the mesh meets the nodes and the way in."""

    site: Site
    domain: str
    models: Sequence[tuple[str, ModelArgs]] = ()
    """Name and arguments of each model; what they come after is filled in here."""
    istio: IstioArgs | None = None
    people: People = field(default_factory=People)
    """Groups of the site and what they may do."""
    surroundings: Surroundings | None = None
    """The API server, DNS; None: what the cluster says of itself."""
    needs: Sequence[Need] = ()
    """What may be reached outside the cluster."""
    access: Access = field(default_factory=Access)
    """Who may call the models through the gateway; nobody unless said."""
    rules: RulesArgs = field(default_factory=RulesArgs)
    """What the stack says about the rules of admission."""
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
        tenants = sorted({m.namespace for _, m in args.models} | args.people.namespaces or {"models"})
        check(site, args.models)
        people.check(args.people)

        models_called = [called(n, m) for n, m in args.models]
        spaces = Namespaces("namespaces", NamespacesArgs(site, tenants, _flows(args, models_called, tenants)), mine)
        # Before everything that makes pods, and after nothing that does: what is created from here on is judged.
        admission = Admission("admission", _admission(args, tenants, spaces.registered.ready), mine)
        begun = admission.ready
        roles = Roles("roles", RolesArgs(site, args.people, begun), mine)
        gateway_api = GatewayApi("gateway-api", GatewayApiArgs(site, begun), mine)
        routes = gateway_api.registered.ready
        certs = CertManager("cert-manager", CertManagerArgs(site, begun), mine)
        istio_args = replace(args.istio or IstioArgs(site), after=[*begun, *routes])
        istio = Istio("istio", istio_args, mine)
        door = FrontDoor("front-door", FrontDoorArgs(site, _doors(args.models), args.access, istio.ready), mine)
        behind = [*certs.issuer, *istio.gateway, *door.registered.ready]
        ingress = Ingress("ingress", IngressArgs(site, args.domain, behind), mine)
        way_in = ingress.registered.ready
        knative_args = KnativeArgs(site, args.domain, models_called, after=begun, mesh=[*istio.gateway, *way_in])
        knative = Knative("knative", knative_args, mine)
        needed = [*certs.ready, *knative.types, *istio.ready, *routes]
        kserve = KServe("kserve", KServeArgs(site, args.domain, begun, needed), mine)
        runtimes = Runtimes("runtimes", RuntimesArgs(site, [m.runtime for _, m in args.models], kserve.ready), mine)

        known = [*map(sidecar, tenants), *egress.service_entries(args.needs, tenants), *in_models(tenants)]
        fences = register(site, known, self, istio.ready)
        base = [*runtimes.registered.ready, *kserve.ready, *fences.ready, *way_in]
        models = []
        for model_name, model in args.models:
            # A model in Standard mode does not wait for Knative, which it does not use.
            after = [*base, *knative.ready] if model.mode == "Knative" else base
            models.append((model_name, model, Model(model_name, replace(model, after=after), mine)))

        parts: list[Registered] = [spaces.registered, gateway_api.registered, certs.registered, istio.registered]
        parts += [ingress.registered, knative.registered, kserve.registered, runtimes.registered, fences]
        parts += [admission.registered, roles.registered, door.registered, *(m.registered for _, _, m in models)]
        self.outputs = {
            "domain": args.domain,
            "gateway": {"namespace": NAMESPACE, "service": GATEWAY, "port": istio.https_port},
            "caCertificate": certs.ca_certificate,
            "models": [_model_output(*m) for m in models],
            "namespaces": {"platform": list(PLATFORM), "models": tenants},
            **people.outputs(args.people),
            "access": front_door.outputs(args.access),
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


def _admission(args: PlatformArgs, tenants: Sequence[str], after: Sequence[pulumi.Resource]) -> AdmissionArgs:
    exits = [h for d in egress.service_entries(args.needs, tenants) for h in d["spec"]["hosts"]]
    return AdmissionArgs(args.site, tenants, args.rules, exits, args.domain, after)


def _doors(models: Sequence[tuple[str, ModelArgs]]) -> dict[str, Door]:
    return {
        f"{m.namespace}/{n}": Door(host(n, m), OPENAI_PATHS[m.task], m.namespace, m.timeout_seconds) for n, m in models
    }


def _flows(args: PlatformArgs, models: Sequence[Called], tenants: Sequence[str]) -> list[Flow]:
    around = args.surroundings or surroundings(args.site.cluster)
    return [*platform_flows(around, tenants), *callers.flows(models), *egress.flows(args.needs, around.dns)]


def _model_output(name: str, args: ModelArgs, made: Model) -> dict[str, Any]:
    return {
        "name": name,
        "namespace": args.namespace,
        "mode": args.mode,
        "task": args.task,
        "tools": "--enable-auto-tool-choice" in args.args,
        "url": made.url,
        "host": host(name, args),
        "servedName": name,
        "service": made.service,
        "scaleToZero": args.mode == "Knative" and args.min_replicas == 0,
    }
