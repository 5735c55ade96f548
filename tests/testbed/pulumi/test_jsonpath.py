from __future__ import annotations

import pytest

from testbed.pulumi.provider.jsonpath import parse, select

OBJ = {
    "status": {
        "phase": "Running",
        "ready": True,
        "replicas": 2,
        "conditions": [{"type": "Ready", "status": "True"}, {"type": "Other", "status": "False"}],
        "loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]},
    },
    "metadata": {"annotations": {"a.b/c": "d"}},
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".status.phase", ["Running"]),
        (".status.conditions[0].type", ["Ready"]),
        (".status.conditions[-1].type", ["Other"]),
        (".status.conditions[*].type", ["Ready", "Other"]),
        ('.status.conditions[?(@.type=="Ready")].status', ["True"]),
        (".metadata.annotations['a.b/c']", ["d"]),
        (".status.conditions[9]", []),
        (".spec.absent", []),
    ],
)
def test_a_path_selects_what_kubectl_selects(path: str, found: list[object]) -> None:
    assert select(OBJ, path) == found


@pytest.mark.parametrize(
    "text",
    [
        "jsonpath={.status.phase}=Running",
        "jsonpath={.status.phase}",
        "jsonpath={$.status.ready}=true",
        "jsonpath={.status.replicas}=2",
        'jsonpath={.status.conditions[?(@.type=="Ready")].status}=True',
        "jsonpath={.status.loadBalancer}",
    ],
)
def test_an_expression_that_holds_has_nothing_unmet(text: str) -> None:
    assert parse(text).unmet(OBJ) is None


def test_an_expression_that_does_not_hold_says_what_is_there() -> None:
    assert parse("jsonpath={.status.phase}=Done").unmet(OBJ) == "{.status.phase} is 'Running', wanted 'Done'"
    assert parse("jsonpath={.status.absent}").unmet(OBJ) == "{.status.absent} selects nothing yet"


def test_a_list_cannot_equal_a_text() -> None:
    with pytest.raises(ValueError, match="not a plain value"):
        parse("jsonpath={.status.conditions}=x").unmet(OBJ)


@pytest.mark.parametrize(
    "text", ["jsonpath=.status.phase", "jsonpath={.status..phase}", "jsonpath={.a[1:2]}", "jsonpath={.a}=", "{.a}"]
)
def test_a_path_outside_the_strict_form_is_refused_and_not_misread(text: str) -> None:
    with pytest.raises(ValueError, match=r"jsonpath|cannot read"):
        parse(text)
