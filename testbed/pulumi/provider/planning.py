"""Stand-in for pulumi-resource-kubernetes, in no registry: what a change of inputs does to one object."""

from __future__ import annotations

from pulumi.runtime.proto import provider_pb2

from testbed.pulumi.provider import annotation, ignored, readiness
from testbed.pulumi.provider.api import Api, ApiError, Object
from testbed.pulumi.provider.await_rules import group_kind
from testbed.pulumi.provider.difference import Change, before, changes, prune
from testbed.pulumi.provider.properties import Path, decode, path_text
from testbed.pulumi.provider.replacement import replaces, replacing_fields
from testbed.pulumi.provider.settings import Settings

# Named one by one: gateway.networking.k8s.io and others of that ending are custom resources.
_BUILT_IN = {
    "",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "apps",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
}


def diff(request: provider_pb2.DiffRequest, settings: Settings, api: Api | None) -> provider_pb2.DiffResponse:
    """The differences of new inputs from the last known live object, and whether they replace it."""
    live, old, new = (decode(bag).values for bag in (request.olds, request.old_inputs, request.news))
    ignored_paths = [ignored.parse(text) for text in request.ignoreChanges]
    found = [
        (path, change)
        for path, change in _changes(live, old, new)
        if not any(ignored.covers(skipped, path) for skipped in ignored_paths)
    ]
    fields = replacing_fields(
        new, mutable_configmaps=settings.mutable_configmaps, mutable_secrets=settings.mutable_secrets
    )
    response = _response(found, fields)
    if api is not None and _is_unready_job(new, api):
        response.changes = provider_pb2.DiffResponse.DIFF_SOME
        response.replaces.append(f'metadata.annotations["{annotation.REPLACE_UNREADY}"]')
    if response.replaces:
        response.deleteBeforeReplace = _keeps_name(live, new)
    return response


def is_built_in(manifest: Object) -> bool:
    """Whether the API server has a type of its own for the object, and so drops empty and unknown fields of it."""
    return group_kind(manifest)[0] in _BUILT_IN


def _changes(live: Object, old: Object, new: Object) -> list[tuple[Path, Change]]:
    typed = is_built_in(new)
    base = before(live, old) if typed else prune(live, old)
    return list(changes(base, new, typed=typed))


def _response(found: list[tuple[Path, Change]], fields: tuple[str, ...]) -> provider_pb2.DiffResponse:
    response = provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME if found else provider_pb2.DiffResponse.DIFF_NONE,
        hasDetailedDiff=True,
        diffs=sorted({str(path[0]) for path, _ in found}),
    )
    for path, change in found:
        replacing = replaces(path, fields)
        kind = provider_pb2.PropertyDiff.Kind.ValueType(change + replacing)
        response.detailedDiff[path_text(path)].CopyFrom(provider_pb2.PropertyDiff(kind=kind, inputDiff=True))
        if replacing:
            response.replaces.append(path_text(path))
    return response


def _is_unready_job(manifest: Object, api: Api) -> bool:
    """``pulumi.com/replaceUnready``: documented for Jobs only."""
    if not annotation.is_true(manifest, annotation.REPLACE_UNREADY) or manifest["kind"] != "Job":
        return False
    meta = manifest["metadata"]
    try:
        live = api.get(manifest["apiVersion"], "Job", meta.get("namespace"), meta["name"])
        return readiness.job(live, api) is not None
    except readiness.NeverReady:
        return True
    except ApiError as error:
        if error.status == 404:
            return False
        raise


def _keeps_name(live: Object, new: Object) -> bool:
    """Whether old and new cannot exist side by side. An automatic name is given anew, so those can."""
    if annotation.is_true(new, annotation.AUTONAMED):
        return False
    old_meta, new_meta = live["metadata"], new["metadata"]
    return all(old_meta.get(key) == new_meta.get(key) for key in ("name", "namespace"))
