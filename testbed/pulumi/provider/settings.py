"""Stand-in for pulumi-resource-kubernetes, in no registry: the provider's own configuration."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from testbed.pulumi.provider import kubeconfig
from testbed.pulumi.provider.properties import Json, has_unknown

_CLUSTER_KEYS = ("kubeconfig", "context", "cluster")


@dataclass(frozen=True)
class Settings:
    """What a Provider resource, or the ``kubernetes:`` configuration of a stack, can set here."""

    server_side_apply: bool
    patch_force: bool
    upsert_existing: bool
    mutable_configmaps: bool
    mutable_secrets: bool

    @classmethod
    def read(cls, configuration: dict[str, Any]) -> Settings:
        """From the provider's configuration first, then from the documented environment variables."""

        def flag(name: str, variable: str, default: bool = False) -> bool:
            return _true(configuration.get(name, os.environ.get(f"PULUMI_K8S_{variable}", default)))

        return cls(
            server_side_apply=flag("enableServerSideApply", "ENABLE_SERVER_SIDE_APPLY", default=True),
            patch_force=flag("enablePatchForce", "ENABLE_PATCH_FORCE"),
            upsert_existing=flag("upsertExistingObjects", "UPSERT_EXISTING_OBJECTS"),
            mutable_configmaps=flag("enableConfigMapMutable", "ENABLE_CONFIGMAP_MUTABLE"),
            mutable_secrets=flag("enableSecretMutable", "ENABLE_SECRET_MUTABLE"),
        )


def is_reachable(configuration: dict[str, Any]) -> bool:
    """Whether it is known, in this preview, which cluster is meant."""
    return not any(has_unknown(configuration.get(key)) for key in _CLUSTER_KEYS)


def changed(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """The names of the settings that differ."""
    return sorted(key for key in (old.keys() | new.keys()) - {"version"} if old.get(key) != new.get(key))


def replacing(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """The changed settings that mean another cluster, so that every object must be made anew.

    ``clusterIdentifier`` decides when both have one; else the cluster entry that the kubeconfig's context selects.
    """
    if old.get("clusterIdentifier") and new.get("clusterIdentifier"):
        return ["clusterIdentifier"] if old["clusterIdentifier"] != new["clusterIdentifier"] else []
    differing = [key for key in _CLUSTER_KEYS if old.get(key) != new.get(key)]
    unknown = [key for key in _CLUSTER_KEYS if has_unknown(new.get(key))]
    if unknown or not differing:
        return unknown
    before, after = _active_cluster(old), _active_cluster(new)
    return differing if before and after and before != after else []


def _active_cluster(configuration: dict[str, Any]) -> dict[str, Any]:
    if not configuration.get("kubeconfig"):
        return {}
    try:
        document, _ = kubeconfig.read(configuration["kubeconfig"])
    except FileNotFoundError:
        return {}  # of another machine, or of a cluster that is no more: then nothing can be compared
    return kubeconfig.active_cluster(document, configuration.get("context"), configuration.get("cluster"))


def _true(value: Json) -> bool:
    return value in (True, "true", "True", "1")
