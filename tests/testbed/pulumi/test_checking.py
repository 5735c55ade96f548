from __future__ import annotations

from typing import Any

import pytest
from pulumi.runtime.proto import provider_pb2

from testbed.pulumi.provider.checking import check, version_and_kind
from testbed.pulumi.provider.planning import diff, is_built_in
from testbed.pulumi.provider.properties import UNKNOWN, decode, encode
from testbed.pulumi.provider.settings import Settings

Object = dict[str, Any]
SETTINGS = Settings.read({})


def urn(token: str) -> str:
    return f"urn:pulumi:s::p::sealift:platform:Part${token}::web"


def checked(token: str, inputs: Object) -> provider_pb2.CheckResponse:
    return check(provider_pb2.CheckRequest(urn=urn(token), news=encode(inputs), randomSeed=b"12345678"), None)


@pytest.mark.parametrize(
    ("token", "found"),
    [
        ("kubernetes:core/v1:Pod", ("v1", "Pod")),
        ("kubernetes:v1:Pod", ("v1", "Pod")),
        ("kubernetes:networking.istio.io/v1:Gateway", ("networking.istio.io/v1", "Gateway")),
    ],
)
def test_a_type_token_names_the_version_and_the_kind(token: str, found: tuple[str, str]) -> None:
    assert version_and_kind(urn(token)) == found


def test_the_version_and_kind_are_filled_in_and_the_status_is_dropped() -> None:
    inputs = decode(checked("kubernetes:core/v1:Pod", {"metadata": {"name": "x"}, "status": {}}).inputs).values
    assert inputs == {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}}


@pytest.mark.parametrize(
    ("token", "inputs", "name"),
    [
        ("kubernetes:core/v1:Pod", {"kind": "Service"}, "kind"),
        ("kubernetes:core/v1:NamespacePatch", {}, "kind"),
        ("kubernetes:helm.sh/v3:Release", {}, "kind"),
        ("kubernetes:core/v1:Pod", {"metadata": {"generateName": "x-"}}, "metadata.generateName"),
    ],
)
def test_what_cannot_be_held_is_refused_by_its_property(token: str, inputs: Object, name: str) -> None:
    assert [failure.property for failure in checked(token, inputs).failures] == [name]


def test_metadata_that_is_unknown_as_a_whole_is_left_alone() -> None:
    response = checked("kubernetes:core/v1:Pod", {"metadata": UNKNOWN})
    assert decode(response.inputs).values == {"metadata": UNKNOWN}
    assert not response.failures


def test_the_gateway_apis_kinds_are_custom_resources() -> None:
    assert not is_built_in({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway"})
    assert is_built_in({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress"})
    assert is_built_in({"apiVersion": "v1", "kind": "Pod"})


def difference(live: Object, old: Object, new: Object, **more: Any) -> provider_pb2.DiffResponse:  # noqa: ANN401
    request = provider_pb2.DiffRequest(olds=encode(live), old_inputs=encode(old), news=encode(new), **more)
    return diff(request, SETTINGS, None)


def gateway(**spec: object) -> Object:
    return {"apiVersion": "networking.istio.io/v1", "kind": "Gateway", "metadata": {"name": "g"}, "spec": spec}


def test_what_a_controller_adds_is_no_difference_and_what_it_changes_is() -> None:
    inputs = gateway(selector={"app": "x"})
    added = gateway(selector={"app": "x"}, extra=1)
    changed = gateway(selector={"app": "y"})
    assert not difference(added, inputs, inputs).detailedDiff
    assert list(difference(changed, inputs, inputs).detailedDiff) == ["spec.selector.app"]


def test_ignored_changes_are_no_difference() -> None:
    response = difference(gateway(a=1), gateway(a=1), gateway(a=2), ignoreChanges=["spec.a"])
    assert response.changes == provider_pb2.DiffResponse.DIFF_NONE


def test_a_new_name_replaces_and_both_may_exist_for_a_while() -> None:
    renamed = {**gateway(a=1), "metadata": {"name": "other"}}
    response = difference(gateway(a=1), gateway(a=1), renamed)
    assert list(response.replaces) == ["metadata.name"]
    assert not response.deleteBeforeReplace
