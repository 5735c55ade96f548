"""What a stack's roles give, on the small site: nothing that policies/exceptions.yaml does not name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from components.documents import Document
from components.model import ModelArgs
from components.people import BreakGlass, Engineers, People
from components.platform import Platform, PlatformArgs
from testbed.scan.exceptions import Exceptions
from testbed.scan.rights import findings
from tests.components.harness import make_site, run

EXCEPTIONS = Path(__file__).resolve().parents[2] / "policies" / "exceptions.yaml"
PEOPLE = People(
    engineers=[Engineers("ml", ("models",))],
    auditors=["audit"],
    operators=["ops"],
    break_glass=BreakGlass("why", datetime.now(UTC) + timedelta(hours=1)),
)


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> list[Document]:
    site = make_site(tmp_path_factory.mktemp("site"))
    model = ModelArgs(site=site, domain="models.test", model="tiny", runtime="vllm-cpu")
    args = PlatformArgs(site, "models.test", [("chat", model)], people=PEOPLE)
    return list(run(lambda: Platform("platform", args).urn).documents.values())


def test_nothing_is_given_that_is_not_accepted_by_name_and_in_time(registered: list[Document]) -> None:
    accepted = Exceptions.read(EXCEPTIONS).exceptions
    found = findings(registered)
    assert {f.object for f in found} >= {"clusterrole/sealift-break-glass"}
    today = datetime.now(UTC).date()
    open_ = [f for f in found if not any(e.covers(f) and today <= e.until for e in accepted)]
    assert [f"{f.rule} {f.object}: {f.message}" for f in open_] == []


def test_controllers_write_where_models_are_and_nowhere_else(registered: list[Document]) -> None:
    roles = [d for d in registered if d["kind"] == "ClusterRole" and d["metadata"]["name"].endswith("-in-models")]
    names = {d["metadata"]["name"] for d in roles}
    assert len(names) == 3
    bound = [d for d in registered if d["kind"].endswith("Binding") and d.get("roleRef", {}).get("name") in names]
    assert {d["kind"] for d in bound} == {"RoleBinding"}
    assert {d["metadata"]["namespace"] for d in bound} == {"models"}
    assert {d["roleRef"]["name"] for d in bound} == names
