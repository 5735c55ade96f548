"""Stand-in for pulumi-resource-kubernetes, in no registry: checking the inputs of one resource."""

from __future__ import annotations

from pulumi.runtime.proto import provider_pb2

from testbed.pulumi.provider import naming, state
from testbed.pulumi.provider.api import Api, Object
from testbed.pulumi.provider.kinds import NoMatch
from testbed.pulumi.provider.properties import decode, encode, has_unknown

_Options = provider_pb2.CheckRequest.AutonamingOptions


def version_and_kind(urn: str) -> tuple[str, str]:
    """The apiVersion and kind of a type token; ``kubernetes:core/v1:Pod`` and ``kubernetes:v1:Pod`` are one."""
    token = urn.split("::")[2].split("$")[-1]
    _, version, kind = token.split(":", 2)
    return version.removeprefix("core/"), kind


def check(request: provider_pb2.CheckRequest, api: Api | None) -> provider_pb2.CheckResponse:
    """The inputs with a name and a namespace, as the API server would return them; or what is wrong with them.

    ``api`` is None as long as the provider's cluster is not known.
    """
    version, kind = version_and_kind(request.urn)
    old, new = decode(request.olds), decode(request.news)
    inputs = new.values
    inputs.setdefault("apiVersion", version)
    inputs.setdefault("kind", kind)
    if (refusal := _refusal(inputs, version, kind)) is not None:
        return _refused(request, *refusal)
    if not isinstance(inputs.setdefault("metadata", {}), dict):
        return provider_pb2.CheckResponse(inputs=request.news)  # unknown as a whole: nothing to say yet
    state.normalize(inputs)
    try:
        resource = request.urn.rsplit("::", 1)[1]
        naming.assign(inputs, old.values, resource, request.randomSeed, _proposal(request))
    except naming.NameRequired as error:
        return _refused(request, "metadata.name", str(error))
    if api is not None:
        _place(inputs, api)
    return provider_pb2.CheckResponse(inputs=encode(inputs, state.secret_paths(inputs, new.secrets)))


def _refusal(inputs: Object, version: str, kind: str) -> tuple[str, str] | None:
    """The property at fault and why, or None."""
    if (inputs["apiVersion"], inputs["kind"]) != (version, kind):
        return "kind", f"a {version} {kind} resource cannot hold a {inputs['apiVersion']} {inputs['kind']}"
    if version.startswith("helm.sh/") or kind.endswith(("Patch", "List")):
        return "kind", f"{version} {kind} is not supported by this stand-in for the Kubernetes provider"
    metadata = inputs.get("metadata")
    if isinstance(metadata, dict) and metadata.get("generateName"):
        return "metadata.generateName", "it is not supported with server-side apply"
    return None


def _refused(request: provider_pb2.CheckRequest, name: str, reason: str) -> provider_pb2.CheckResponse:
    failure = provider_pb2.CheckFailure(property=name, reason=reason)
    return provider_pb2.CheckResponse(inputs=request.news, failures=[failure])


def _proposal(request: provider_pb2.CheckRequest) -> str | None:
    if not request.HasField("autonaming"):
        return None
    return "" if request.autonaming.mode == _Options.DISABLE else request.autonaming.proposed_name


def _place(inputs: Object, api: Api) -> None:
    """Give a namespaced object its namespace, in place, and remember the kinds that a definition will bring."""
    if inputs["kind"] == "CustomResourceDefinition" and not has_unknown(inputs["spec"]["names"]):
        api.kinds.learn(inputs)
    try:
        namespaced = api.kinds.find(inputs["apiVersion"], inputs["kind"]).namespaced
    except NoMatch:
        namespaced = True  # a guess, corrected when the object is made
    if not namespaced:
        inputs["metadata"].pop("namespace", None)
    elif not inputs["metadata"].get("namespace"):
        inputs["metadata"]["namespace"] = api.namespace
