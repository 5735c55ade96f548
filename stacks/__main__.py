"""The Pulumi program: one stack is one environment, and its configuration is the only difference between two."""

from __future__ import annotations

import sys
from pathlib import Path

import pulumi
import pulumi_kubernetes

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # Pulumi starts the program by path, not as a module of the project

from components.cluster import KubernetesCluster  # noqa: E402
from components.platform import Platform  # noqa: E402
from mirror.errors import SealiftError  # noqa: E402
from stacks import config, environment  # noqa: E402


def main() -> None:
    """Read, check, register, export."""
    stack, kubernetes = pulumi.get_stack(), pulumi.Config("kubernetes")
    prefix = "sealift:"
    raw = {k.removeprefix(prefix): v for k, v in pulumi.runtime.config.CONFIG.get().items() if k.startswith(prefix)}
    settings = config.read(environment.structured(raw), stack)
    receipt, origin = environment.received(settings, HERE)
    cluster = KubernetesCluster.reached_by(kubernetes.get("kubeconfig"), kubernetes.get("context"))
    environment.right_cluster(settings, cluster, stack)
    provider = pulumi_kubernetes.Provider(
        "cluster",
        kubeconfig=kubernetes.get("kubeconfig"),
        context=kubernetes.get("context"),
        cluster_identifier=settings.cluster,
        # Changed settings are applied in place: a ConfigMap that is deleted and made again stops its controller.
        enable_config_map_mutable=True,
        enable_secret_mutable=True,
    )
    platform = Platform(
        "platform",
        environment.platform_args(settings, receipt, origin, cluster, HERE),
        pulumi.ResourceOptions(providers=[provider]),
    )
    pulumi.export("stack", stack)
    for name, value in platform.outputs.items():
        pulumi.export(name, value)


try:
    main()
except SealiftError as e:
    raise pulumi.RunError(f"{e.given}\n  why: {e.why}\n  instead: {e.instead}") from None
