"""From a stack's configuration to the platform's arguments, and the checks that come before anything is registered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from components.admission import RulesArgs
from components.cluster import Cluster
from components.istio import IstioArgs
from components.model import ModelArgs
from components.people import BreakGlass, Engineers, People
from components.platform import PlatformArgs
from components.site import Site
from components.size import SIZES
from components.surroundings import API_SERVER, surroundings, user_namespaces
from mirror.errors import BadInput, WrongCluster
from mirror.receipt import Receipt

from . import access
from .config import ModelConfig, StackConfig
from .surroundings import peers


def structured(raw: dict[str, str]) -> dict[str, Any]:
    """Pulumi's configuration, all strings, as values: what is JSON is parsed, everything else is text.

    Only ``models`` and ``values`` and numbers and booleans are ever JSON; a UID such as ``1e5`` must stay text.
    """
    texts = {"receipt", "cluster", "domain", "size", "serviceType", "cniBinDir", "cniConfDir", "userNamespaces"}
    return {k: v if k in texts else _parsed(v) for k, v in raw.items()}


def _parsed(text: str) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def received(config: StackConfig, directory: Path) -> tuple[Receipt, Path]:
    """The receipt, whole. ``directory`` is what a relative path is relative to. Raises BadInput for a partial load."""
    path = (directory / config.receipt).resolve()
    receipt = Receipt.read(path)
    if receipt.missing:
        listed = "; ".join(f"{m.reference} ({m.why})" for m in receipt.missing[:5])
        raise BadInput(
            str(path), f"{len(receipt.missing)} of the bundle did not arrive: {listed}", "Run sealift load again."
        )
    return receipt, path


def right_cluster(config: StackConfig, cluster: Cluster, stack: str) -> None:
    """Raise WrongCluster unless the kubeconfig reaches the cluster that the stack belongs to."""
    found = cluster.uid()
    if config.cluster is None:
        raise WrongCluster(
            f"stack {stack}",
            f"it does not say which cluster it belongs to; the kubeconfig reaches the one whose kube-system is {found}",
            f"If that is the one: pulumi config set sealift:cluster {found} --stack {stack}",
        )
    if found != config.cluster:
        raise WrongCluster(
            f"the kubeconfig's cluster (kube-system {found})",
            f"stack {stack} belongs to the cluster whose kube-system is {config.cluster}",
            "Point $KUBECONFIG at that cluster, or select the stack of this one.",
        )


def platform_args(
    config: StackConfig, receipt: Receipt, origin: Path, cluster: Cluster, directory: Path
) -> PlatformArgs:
    """The platform that ``config`` describes; ``directory`` is what its paths are relative to."""
    site = Site(receipt, origin, cluster, SIZES[config.size], config.values)
    for part in config.values:
        receipt.part(part)
    istio = IstioArgs(
        site,
        service_type=config.serviceType,
        node_port=config.nodePort,
        cni_bin_dir=config.cniBinDir,
        cni_conf_dir=config.cniConfDir,
    )
    separate = config.userNamespaces == "auto" and user_namespaces(cluster)
    models = [(m.name, _model_args(m, site, config.domain, separate)) for m in config.models]
    around = surroundings(
        cluster,
        api_server=config.apiServer,
        callers=peers(config.webhookCallers, API_SERVER),
        dns=peers(config.dns, "DNS"),
    )
    needs = [e.need() for e in config.egress]
    allowed = access.parsed(
        config.access,
        config.tenants,
        config.limits,
        is_open=config.gatewayOpenToAnyoneWhoReachesIt,
        models=config.model_keys,
        domain=config.domain,
        directory=directory,
    )
    rules = RulesArgs(
        config.unguardedNamespaces,
        config.unverifiedModelSources,
        [Receipt.read((directory / path).resolve()) for path in config.earlierReceipts],
    )
    return PlatformArgs(site, config.domain, models, istio, _people(config), around, needs, allowed, rules)


def _people(config: StackConfig) -> People:
    glass = config.breakGlass
    return People(
        engineers=[Engineers(e.group, tuple(e.namespaces)) for e in config.engineers],
        auditors=config.auditors,
        operators=config.operators,
        break_glass=BreakGlass(glass.reason, glass.until) if glass else None,
    )


def _model_args(model: ModelConfig, site: Site, domain: str, user_namespace: bool) -> ModelArgs:
    return ModelArgs(
        site,
        domain,
        model.model,
        model.runtime,
        namespace=model.namespace,
        mode=model.mode,
        task=model.task,
        canary_traffic_percent=model.canaryTrafficPercent,
        min_replicas=model.minReplicas,
        max_replicas=model.maxReplicas,
        args=model.args,
        resources=dict(model.resources),
        timeout_seconds=model.timeout,
        start_timeout_seconds=model.startTimeout,
        ready_timeout_seconds=model.readyTimeout,
        callers=model.callers,
        user_namespace=user_namespace,
        annotations=model.annotations,
    )
