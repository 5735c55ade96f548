"""Groups of people, from a stack's configuration to bindings in the cluster."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from components.platform import Platform
from mirror.errors import BadInput
from stacks import config, environment
from tests.components.harness import CLUSTER, FakeCluster, make_receipt, run

GLASS = {"reason": "the gateway is down", "until": (datetime.now(UTC) + timedelta(hours=1)).isoformat()}


def read(**values: Any) -> config.StackConfig:  # noqa: ANN401 - keys of a stack
    return config.read({"receipt": "receipt.json", "cluster": CLUSTER, **values}, "test")


def bindings(directory: Path, **values: Any) -> dict[str, list[str]]:  # noqa: ANN401 - keys of a stack
    """Subjects of the bindings of people, by the key of each."""
    make_receipt(directory)
    stack = read(**values)
    receipt, origin = environment.received(stack, directory)
    args = environment.platform_args(stack, receipt, origin, FakeCluster(), directory)
    found = run(lambda: Platform("platform", args).urn).documents
    return {
        k: [s["name"] for s in d["subjects"]]
        for k, d in found.items()
        if d["kind"].endswith("Binding") and any(s["kind"] == "Group" for s in d.get("subjects", []))
    }


def test_a_stack_that_names_nobody_gives_nobody_anything(tmp_path: Path) -> None:
    assert bindings(tmp_path) == {}


def test_each_key_binds_its_groups(tmp_path: Path) -> None:
    found = bindings(
        tmp_path,
        engineers=[{"group": "ml", "namespaces": ["models"]}],
        auditors=["security"],
        operators=["ops"],
        breakGlass=GLASS,
    )
    assert found == {
        "rolebinding/models/sealift-engineer": ["ml"],
        "clusterrolebinding/sealift-auditor": ["security"],
        "clusterrolebinding/sealift-operator": ["ops"],
        "clusterrolebinding/sealift-break-glass": ["sealift:break-glass"],
    }


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"engineers": [{"group": "ml"}]}, "engineers.0.namespaces"),
        ({"engineers": [{"group": "ml", "namespaces": []}]}, "engineers.0.namespaces"),
        ({"engineers": [{"group": "", "namespaces": ["models"]}]}, "engineers.0.group"),
        ({"breakGlass": {"until": GLASS["until"]}}, "breakGlass.reason"),
        ({"breakGlass": {"reason": "x"}}, "breakGlass.until"),
        ({"breakGlass": {"reason": "x", "until": "2026-11-24T18:00:00"}}, "timezone"),
        ({"breakGlass": True}, "breakGlass"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_path(values: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        read(**values)


def test_a_glass_whose_time_is_over_stops_the_stack_before_anything_is_registered(tmp_path: Path) -> None:
    over = {"reason": "x", "until": "2026-01-01T00:00:00+00:00"}
    with pytest.raises(BadInput, match="2026-01-01 00:00 UTC"):
        bindings(tmp_path, breakGlass=over)
