"""Least privilege on what upstream really publishes: the real charts, rendered by the real helm."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from components.documents import Document, key
from components.least_privilege import EDITS, trimmed
from components.model import ModelArgs
from components.platform import Platform, PlatformArgs
from components.rights import Named
from components.site import Site
from testbed.rehearsal import confidential
from testbed.scan.exceptions import Exceptions, judge, reviewed
from testbed.scan.findings import Scanned, joined
from testbed.scan.rights import TITLES, findings
from tests.api_server import program
from tests.components.harness import run
from tests.components.real.upstream import real_site

EXCEPTIONS = Path(__file__).resolve().parents[3] / "policies" / "exceptions.yaml"
BUILT_IN = {"deployments/scale"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PATH", f"{Path(program('helm')).parent}{os.pathsep}{os.environ['PATH']}")
        return real_site(tmp_path_factory.mktemp("site"))


@pytest.fixture(autouse=True)
def helm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{Path(program('helm')).parent}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def registered(site: Site) -> list[Document]:
    """All that a stack with a model of each mode registers."""

    def model(**fields: object) -> ModelArgs:
        return ModelArgs(**{"site": site, "domain": "models.test", "model": "tiny", "runtime": "vllm-cpu", **fields})

    models = [("chat", model()), ("batch", model(mode="Knative", min_replicas=0))]
    return list(run(lambda: Platform("platform", PlatformArgs(site, "models.test", models)).urn).documents.values())


def test_each_right_that_is_much_is_accepted_by_name_and_each_acceptance_is_needed(registered: list[Document]) -> None:
    found = joined(findings(registered))
    today = datetime.now(UTC).date()
    accepted = reviewed(Exceptions.read(EXCEPTIONS), today)
    ours = accepted.model_copy(update={"exceptions": [e for e in accepted.exceptions if "sealift" in e.rules]})
    keys = sorted({f.object for f in found})
    scanned = Scanned(
        subject="all", scanner="sealift", version="", objects=len(registered), seconds=0, findings=found, keys=keys
    )
    verdict = judge([scanned], ours, today)
    assert found
    assert [f"{f.rule} {f.object} {f.message}" for f in verdict.open] == []
    assert [f.object for f, _ in verdict.expired] == []
    assert [u for u in (*verdict.idle, *verdict.absent) if u.scanner == "sealift"] == []


def test_no_wildcard_is_among_what_is_accepted() -> None:
    accepted = {rule for e in Exceptions.read(EXCEPTIONS).exceptions for rule in e.rules.get("sealift", [])}
    assert accepted & {"wildcard", "administrator", "escalation", "everybody", "aggregated"} == set()
    assert accepted <= set(TITLES)


def test_wildcards_are_spelt_out_into_exactly_the_kinds_that_are_installed(registered: list[Document]) -> None:
    plurals: dict[str, set[str]] = {}
    for d in registered:
        if d["kind"] == "CustomResourceDefinition":
            plurals.setdefault(d["spec"]["group"], set()).add(d["spec"]["names"]["plural"])
    for edit in (e for edits in EDITS.values() for e in edits if isinstance(e, Named)):
        for group, resources in edit.resources.items():
            listed = {r.partition("/")[0] for r in resources} - {r.partition("/")[0] for r in BUILT_IN}
            assert listed == plurals.get(group, set()), group


def test_every_edit_meets_something_of_what_upstream_publishes(site: Site) -> None:
    for part in EDITS:
        site.documents(part)  # raises KeyError otherwise


def test_an_edit_that_is_made_twice_meets_nothing(site: Site) -> None:
    with pytest.raises(KeyError):
        trimmed("knative-serving", site.documents("knative-serving"))


def test_no_secret_is_registered_so_that_none_can_be_in_pulumis_state(registered: list[Document]) -> None:
    secrets = [d for d in registered if d["kind"] == "Secret"]
    assert secrets  # places that programs of the cluster fill themselves
    assert [key(d) for d in secrets if d.get("data") or d.get("stringData")] == []
    assert confidential.exposed(json.dumps(registered), []) == []
