"""Stand-in for pulumi-resource-kubernetes, in no registry: which changes replace an object.

The table is the official provider's: fields that an API server refuses to change in place. A change of any other such
field fails at the API server, as it does with the official one.
"""

from __future__ import annotations

from typing import Any

from testbed.pulumi.provider.properties import Path

_IDENTITY = ("metadata.name", "metadata.namespace")
_SELECTOR = ("spec.selector",)
_VOLUME_SOURCES = tuple(
    f"spec.{source}"
    for source in [
        "awsElasticBlockStore",
        "azureDisk",
        "azureFile",
        "cephfs",
        "cinder",
        "csi",
        "fc",
        "flexVolume",
        "flocker",
        "gcePersistentDisk",
        "glusterfs",
        "hostPath",
        "iscsi",
        "local",
        "nfs",
        "photonPersistentDisk",
        "portworxVolume",
        "quobyte",
        "rbd",
        "scaleIO",
        "storageos",
        "vsphereVolume",
    ]
)
_POD = tuple(
    f"spec.{field}"
    for field in [
        "affinity",
        "automountServiceAccountToken",
        "dnsConfig",
        "dnsPolicy",
        "enableServiceLinks",
        "hostAliases",
        "hostIPC",
        "hostNetwork",
        "hostPID",
        "hostname",
        "imagePullSecrets",
        "nodeName",
        "nodeSelector",
        "overhead",
        "preemptionPolicy",
        "priority",
        "priorityClassName",
        "readinessGates",
        "restartPolicy",
        "runtimeClassName",
        "schedulerName",
        "securityContext",
        "serviceAccount",
        "serviceAccountName",
        "shareProcessNamespace",
        "subdomain",
        "terminationGracePeriodSeconds",
        "volumes",
        "containers",
        "initContainers",
    ]
)
_REPLACING: dict[tuple[str, str], tuple[str, ...]] = {
    ("apps", "Deployment"): _SELECTOR,
    ("apps", "DaemonSet"): _SELECTOR,
    ("apps", "StatefulSet"): (
        *_SELECTOR,
        "spec.podManagementPolicy",
        "spec.revisionHistoryLimit",
        "spec.serviceName",
        "spec.volumeClaimTemplates",
    ),
    ("batch", "Job"): (*_SELECTOR, "spec.completions", "spec.parallelism", "spec.template"),
    ("", "PersistentVolume"): _VOLUME_SOURCES,
    ("", "PersistentVolumeClaim"): (*_SELECTOR, "spec.accessModes", "spec.storageClassName", "spec.volumeName"),
    ("", "Pod"): _POD,
    ("", "ResourceQuota"): ("spec.scopes",),
    ("", "Service"): ("spec.clusterIP",),
    ("rbac.authorization.k8s.io", "RoleBinding"): ("roleRef",),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): ("roleRef",),
    ("storage.k8s.io", "StorageClass"): ("parameters", "provisioner"),
}


def replacing_fields(manifest: dict[str, Any], *, mutable_configmaps: bool, mutable_secrets: bool) -> tuple[str, ...]:
    """The fields of an object whose change replaces it; data of ConfigMaps and Secrets too unless told otherwise."""
    version, kind = manifest["apiVersion"], manifest["kind"]
    group = version.split("/")[0] if "/" in version else ""
    fixed = manifest.get("immutable") is True
    if (group, kind) == ("", "ConfigMap") and (fixed or not mutable_configmaps):
        return (*_IDENTITY, "data", "binaryData")
    if (group, kind) == ("", "Secret"):
        return (*_IDENTITY, "type", *(() if mutable_secrets and not fixed else ("data", "stringData")))
    return _IDENTITY + _REPLACING.get((group, kind), ())


def replaces(path: Path, fields: tuple[str, ...]) -> bool:
    """Whether a change at a path touches one of the fields, lies inside it, or takes it away with its parent."""
    changed = ".".join(step for step in path if isinstance(step, str))
    return any(
        changed == field or changed.startswith(f"{field}.") or field.startswith(f"{changed}.") for field in fields
    )
