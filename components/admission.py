"""The rules inside the cluster: what the policy pack holds before an update, the API server holds against everybody."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi

from mirror.errors import BadInput, ChecksFailed, SealiftError
from mirror.receipt import Receipt
from policies.admission import admission_documents
from policies.examples import Names
from policies.probes import probes
from policies.receipt_parameter import receipt_data, receipt_parameter
from policies.rule import rules
from policies.scope import PLATFORM, RECEIPT_NAMESPACE, Scope
from policies.settings import Settings

from .cluster import Cluster
from .documents import Document, key
from .manifests import Object, Registered, register
from .site import Site

NAMESPACE = RECEIPT_NAMESPACE
LIST = "sealift-rules"
"""The ConfigMap that says which rules are in force: it is made when they are."""


@dataclass(frozen=True)
class RulesArgs:
    """What a stack may say about the rules; nothing, and they are closed."""

    unguarded: Sequence[str] = ()
    """Namespaces in which no rule holds, beside the cluster's own."""
    unverified_model_sources: Sequence[str] = ()
    """Beginnings of a storageUri (``pvc://weights/``) that need not be in the receipt."""
    earlier: Sequence[Receipt] = ()
    """Receipts whose images may still run: of the version before, while an upgrade can be rolled back."""


@dataclass(frozen=True)
class AdmissionArgs:
    """Where the rules hold, and what the stack says about them."""

    site: Site
    models: Sequence[str]
    """Namespaces that models are served in."""
    rules: RulesArgs = field(default_factory=RulesArgs)
    egress_hosts: Sequence[str] = ()
    """Hosts outside the cluster that the stack opens."""
    domain: str = Settings.domain
    """What models answer below."""
    after: Sequence[pulumi.Resource] = ()


class Admission(pulumi.ComponentResource):
    """The receipt as the policies' parameter, a policy and a binding for each rule.

    ``ready`` is all of them in force: whatever comes behind is judged. Deleting goes the other way: the bindings go
    when everything that they judged is gone, then the policies, then the receipt.
    """

    registered: Registered
    ready: list[pulumi.Resource]

    def __init__(self, name: str, args: AdmissionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sealift:index:Admission", name, None, opts)
        site = args.site
        made = register(site, documents(args), self, args.after)
        refused = probes(rules(), _names(args))
        listed = rule_list()
        depends = _in_force(site.cluster, refused, made.ready)
        last = Object(listed, pulumi.ResourceOptions(parent=self, depends_on=depends))
        self.ready = [last]
        self.registered = Registered({**made.objects, key(listed): last}, self.ready)
        self.register_outputs({"rules": [r.name for r in rules()]})


def documents(args: AdmissionArgs) -> list[Document]:
    """The receipt, the policies and the bindings; raises BadInput when the stack leaves its own namespaces out."""
    if own := sorted({*args.rules.unguarded} & {*args.models, *PLATFORM}):
        raise BadInput(
            f"unguardedNamespaces {', '.join(own)}",
            "the platform's own namespaces and those of its models keep the rules",
            "Name namespaces of others only.",
        )
    receipt = receipt_parameter(receipt_data(args.site.receipt, *args.rules.earlier))
    scope = Scope(sorted(args.models), args.rules.unguarded)
    settings = Settings(args.rules.unverified_model_sources, sorted(args.egress_hosts), args.domain)
    return [receipt, *admission_documents(rules(), scope, settings)]


def rule_list() -> Document:
    """What holds, for whoever looks: rule -> sentence."""
    metadata = {"name": LIST, "namespace": NAMESPACE}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata,
        "data": {r.name: r.sentence for r in rules()},
    }


def wait_until_in_force(
    cluster: Cluster,
    refused: Mapping[str, Document],
    *,
    seconds: float = 60,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], Any] = time.sleep,
) -> None:
    """Return when each policy of ``refused`` refuses its document; raises ChecksFailed after ``seconds``.

    An API server takes up new policies about a second after it has stored them, and what is created in that second is
    judged by none.
    """
    end = clock() + seconds
    for policy, document in refused.items():
        while f"'{policy}'" not in (said := cluster.verdict(document)):
            if clock() > end:
                why = f"the API server says to what it must refuse: {said or 'nothing'}"
                instead = "Look at the policy's status and the API server's log, then run pulumi up again."
                raise ChecksFailed(f"policy {policy}", why, instead)
            pause(0.1)


def _in_force(cluster: Cluster, refused: Mapping[str, Document], after: list[pulumi.Resource]) -> Any:  # noqa: ANN401 - Input of list
    """``after``, as an output that resolves once all policies refuse. A preview does not wait."""
    if pulumi.runtime.is_dry_run():
        return after

    async def wait(_: Any) -> list[pulumi.Resource]:  # noqa: ANN401
        try:
            await asyncio.to_thread(wait_until_in_force, cluster, refused)
        except SealiftError as e:
            raise pulumi.RunError(f"{e}\n{e.instead}") from e
        return after

    return pulumi.Output.all(*(r.urn for r in after)).apply(wait)


def _names(args: AdmissionArgs) -> Names:
    receipt = args.site.receipt
    image = receipt.images[0].mirrored
    weights = receipt.models[0].mirrored if receipt.models else image
    return Names(image, weights, min(args.models))
