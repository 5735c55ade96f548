"""The rules, one function each: a document and what is expected in, sentences about what is wrong out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from mirror import discover

from .expected import Expected

Document = dict[str, Any]
Rule = Callable[[Document, Expected], Iterator[str]]

NODE_NAMESPACE = "istio-cni"
"""The one namespace whose pods may touch the node: Istio's CNI plugin installs itself there."""
_ADMISSION_PORT = "8443"
_ADMISSION_APPS = frozenset({"webhook", "net-istio-webhook"})
_HOST_FIELDS = ("hostNetwork", "hostPID", "hostIPC")
_HARMLESS_CAPABILITIES = frozenset({"NET_BIND_SERVICE"})  # Kubernetes' Pod Security Standards, restricted


@dataclass(frozen=True)
class NamedRule:
    """A rule with its name and the sentence that Pulumi shows for it."""

    name: str
    description: str
    check: Rule


def images(document: Document, expected: Expected) -> Iterator[str]:
    """Every image is in the internal registry, by digest, and arrived with the load."""
    for site in discover.find(document):
        if site.text in expected.exclusions:
            continue
        where = f"{site.path}: {site.text!r}"
        if site.reference is None:
            yield f"{where} holds an image that cannot be read"
        elif not site.text.startswith(f"{expected.registry}/"):
            yield f"{where} is not in the internal registry {expected.registry}"
        elif site.reference.digest is None:
            yield f"{where} is not named by digest"
        elif str(site.reference.pinned()) not in expected.images:
            yield f"{where} is not in the receipt: it never arrived"


def pods(document: Document, _: Expected) -> Iterator[str]:
    """No pod outside the node namespace is privileged, shares a host namespace or mounts the host."""
    if document["kind"] == "CustomResourceDefinition":
        return
    namespace = (document.get("metadata") or {}).get("namespace")
    if namespace == NODE_NAMESPACE:
        return
    for path, spec in _pod_specs(document, ""):
        for name in _HOST_FIELDS:
            if spec.get(name):
                yield f"{path}.{name} is set: the pod would leave its own namespace"
        for volume in spec.get("volumes") or []:
            if "hostPath" in volume:
                yield f"{path}: volume {volume.get('name')!r} mounts the node's {volume['hostPath'].get('path')}"
        for kind in ("containers", "initContainers"):
            for container in spec.get(kind) or []:
                yield from _privileges(f"{path}.{kind}[{container.get('name')}]", container)


def mesh(document: Document, _: Expected) -> Iterator[str]:
    """No plaintext in the mesh, but on the ports at which Knative's webhooks are called by the API server."""
    spec = document.get("spec") or {}
    if document["kind"] == "PeerAuthentication":
        if (mode := (spec.get("mtls") or {}).get("mode")) in ("PERMISSIVE", "DISABLE"):
            yield f"spec.mtls.mode is {mode}: plaintext would be accepted"
        app = ((spec.get("selector") or {}).get("matchLabels") or {}).get("app")
        for port, setting in (spec.get("portLevelMtls") or {}).items():
            admission = str(port) == _ADMISSION_PORT and app in _ADMISSION_APPS
            if setting.get("mode") in ("PERMISSIVE", "DISABLE") and not admission:
                yield f"spec.portLevelMtls.{port} is {setting['mode']}: plaintext would be accepted"
    if document["kind"] == "DestinationRule":
        for path, mode in _tls_modes(spec, "spec"):
            if mode == "DISABLE":
                yield f"{path} is DISABLE: the client would speak plaintext"


def namespaces(document: Document, _: Expected) -> Iterator[str]:
    """Every namespace enforces a Pod Security profile: restricted, but for the node namespace."""
    if document["kind"] != "Namespace":
        return
    metadata = document["metadata"]
    profile = (metadata.get("labels") or {}).get("pod-security.kubernetes.io/enforce")
    if profile is None:
        yield "label pod-security.kubernetes.io/enforce is missing: any pod would be admitted"
    elif profile != "restricted" and metadata.get("name") != NODE_NAMESPACE:
        yield f"it enforces {profile!r}, only {NODE_NAMESPACE} may enforce anything but 'restricted'"


RULES = (
    NamedRule("images-by-digest", "Images come from the internal registry, by digest, and are in the receipt.", images),
    NamedRule("unprivileged-pods", "Pods stay off the node: unprivileged, no host namespaces, no host paths.", pods),
    NamedRule("no-plaintext", "Traffic in the mesh is mTLS.", mesh),
    NamedRule("pod-security", "Namespaces enforce Pod Security 'restricted'.", namespaces),
)


def _pod_specs(value: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:  # noqa: ANN401 - any JSON value
    """Whatever in ``value`` looks like a pod's spec: in workloads, runtimes and services alike."""
    if isinstance(value, dict):
        if isinstance(value.get("containers"), list):
            yield path, value
        for key, inner in value.items():
            yield from _pod_specs(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from _pod_specs(inner, f"{path}[{i}]")


def _privileges(path: str, container: dict[str, Any]) -> Iterator[str]:
    security = container.get("securityContext") or {}
    if security.get("privileged"):
        yield f"{path} is privileged"
    if security.get("allowPrivilegeEscalation"):
        yield f"{path} may gain privileges (allowPrivilegeEscalation)"
    added = set((security.get("capabilities") or {}).get("add") or []) - _HARMLESS_CAPABILITIES
    if added:
        yield f"{path} adds capabilities {', '.join(sorted(added))}"


def _tls_modes(value: Any, path: str) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        tls = value.get("tls")
        if isinstance(tls, dict) and isinstance(tls.get("mode"), str):
            yield f"{path}.tls.mode", tls["mode"]
        for key, inner in value.items():
            yield from _tls_modes(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from _tls_modes(inner, f"{path}[{i}]")
