from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pulumi
import pytest
from msgspec import structs

from components import site as site_module
from components.documents import Document
from components.manifests import register
from components.site import Site
from mirror import render
from mirror.errors import BadInput
from tests.components.harness import FakeCluster, make_site, run


class Part(pulumi.ComponentResource):
    def __init__(self) -> None:
        super().__init__("test:index:Part", "part")


def config_map(name: str) -> Document:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "n"}}


WEBHOOK: Document = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingWebhookConfiguration",
    "metadata": {"name": "w"},
    "webhooks": [],
}
GUARDED: Document = {"apiVersion": "serving.kserve.io/v1alpha1", "kind": "Guarded", "metadata": {"name": "g"}}


def waiting(site: Site, *, preview: bool) -> FakeCluster:
    cluster = FakeCluster(refusals=2)

    def program() -> object:
        done = register(replace(site, cluster=cluster), [GUARDED, WEBHOOK], Part())
        return done.objects["guarded/g"].urn

    noted = run(program, preview=preview)
    assert noted.comes_after("guarded/g", "validatingwebhookconfiguration/w")
    return cluster


def test_what_a_webhook_judges_waits_until_the_webhook_answers(tmp_path: Path) -> None:
    assert waiting(make_site(tmp_path), preview=False).asked == ["Guarded/g"] * 3


def test_a_preview_does_not_wait_for_webhooks(tmp_path: Path) -> None:
    assert waiting(make_site(tmp_path), preview=True).asked == []


def test_two_documents_of_one_name_are_refused(tmp_path: Path) -> None:
    site = make_site(tmp_path)
    with pytest.raises(KeyError, match="configmap/n/a is in the documents twice"):
        run(lambda: register(site, [config_map("a"), config_map("a")], Part()).ready[0].urn)


def test_all_objects_ask_for_one_version_of_the_provider(tmp_path: Path) -> None:
    site = make_site(tmp_path)
    noted = run(lambda: register(site, [config_map("a"), config_map("b")], Part()).ready[0].urn)
    assert set(noted.documents) == {"configmap/n/a", "configmap/n/b"}
    assert len({noted.providers[n] for n in noted.documents}) == 1


def test_the_stacks_values_lie_over_the_components_and_these_over_the_catalogs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make_site(tmp_path)
    part = structs.replace(
        site.receipt.part("istiod"), kind="chart", release="istiod", values={"a": 1, "b": 1, "c": {"d": 1}}
    )
    receipt = structs.replace(site.receipt, parts=[part])
    given: dict[str, Any] = {}

    def chart(archive: Path, **arguments: Any) -> list[Document]:  # noqa: ANN401
        given.update(arguments)
        return render.release([archive])

    monkeypatch.setattr(site_module.render, "chart", chart)
    replace(site, receipt=receipt, values={"istiod": {"b": 3, "c": {"e": 3}}}).documents("istiod", {"a": 2, "b": 2})
    assert given["values"] == {"a": 2, "b": 3, "c": {"d": 1, "e": 3}}
    assert given["kubernetes"] == "1.34"


def test_values_for_a_part_that_takes_none_are_refused(tmp_path: Path) -> None:
    site = replace(make_site(tmp_path), values={"knative-serving": {"a": 1}})
    with pytest.raises(BadInput, match="takes no Helm values"):
        site.documents("knative-serving")


def test_the_part_that_touches_the_node_may_be_root_and_no_other(tmp_path: Path) -> None:
    site = make_site(tmp_path)
    [node] = site.documents("istio-cni", harden=False)
    istiod = next(d for d in site.documents("istiod") if d["kind"] == "Deployment")
    assert "runAsNonRoot" not in node["spec"]["template"]["spec"]["securityContext"]
    assert istiod["spec"]["template"]["spec"]["securityContext"]["runAsNonRoot"] is True
