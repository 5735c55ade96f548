from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.platform import Platform
from mirror.errors import BadInput, NotInReceipt, WrongCluster
from mirror.receipt import Missing
from stacks import config, environment
from tests.components.harness import CLUSTER, FakeCluster, make_receipt, run

STACKS = Path(config.__file__).parent
MODEL = {"name": "chat", "model": "tiny", "runtime": "vllm-cpu"}


def read(**values: Any) -> config.StackConfig:  # noqa: ANN401
    return config.read({"receipt": "receipt.json", "cluster": CLUSTER, "models": [MODEL], **values}, "test")


def test_what_is_not_said_is_secure() -> None:
    stack = read()
    assert (stack.models[0].mode, stack.models[0].callers, stack.models[0].namespace) == ("Standard", [], "models")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"size": "huge"}, "size"),
        ({"domian": "x.y"}, "domian: Extra inputs are not permitted"),
        ({"domain": "no dots or spaces"}, "domain"),
        ({"models": [MODEL, MODEL]}, "models/chat is listed 2 times"),
        ({"models": [{**MODEL, "minReplicas": 0}]}, "needs mode Knative"),
        ({"models": [{**MODEL, "minReplicas": 3, "maxReplicas": 2}]}, "more than maxReplicas"),
        ({"models": [{**MODEL, "name": "a" * 60}]}, "too long for one DNS label"),
        ({"models": [{**MODEL, "callers": ["no-namespace"]}]}, "models.0.callers.0"),
        ({"nodePort": 30443, "serviceType": "ClusterIP"}, "nodePort needs serviceType"),
        ({"models": [{**MODEL, "canaryTrafficPercent": 10}]}, "canaryTrafficPercent needs mode Knative"),
        ({"models": [{**MODEL, "mode": "Knative", "canaryTrafficPercent": 101}]}, "canaryTrafficPercent"),
        ({"models": [{**MODEL, "mode": "Knative", "minReplicas": 0, "startTimeout": 700}]}, "timeout 600 is less than"),
        ({"models": [{**MODEL, "task": "dance"}]}, "task"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_path(values: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput) as caught:
        read(**values)
    assert said in str(caught.value)
    assert "Pulumi.test.yaml" in caught.value.given


def test_a_stack_without_a_receipt_is_told_how_to_get_one() -> None:
    with pytest.raises(BadInput) as caught:
        config.read({}, "test")
    assert "sealift load" in caught.value.instead


def test_pulumis_strings_become_values_and_text_stays_text() -> None:
    raw = {"cluster": "1e5", "nodePort": "30443", "models": json.dumps([MODEL])}
    parsed = environment.structured(raw)
    assert parsed == {"cluster": "1e5", "nodePort": 30443, "models": [MODEL]}


@pytest.mark.parametrize("name", ["dev", "staging", "prod"])
def test_the_stacks_that_come_with_the_project_are_valid(name: str) -> None:
    held = yaml.safe_load((STACKS / f"Pulumi.{name}.yaml").read_text())["config"]
    stack = config.read({k.removeprefix("sealift:"): v for k, v in held.items()}, name)
    assert stack.models


def test_a_partial_load_is_refused_and_what_is_missing_is_named(tmp_path: Path) -> None:
    make_receipt(tmp_path, missing=[Missing(reference="quay.io/a/b:1", why="no space")])
    with pytest.raises(BadInput, match=r"quay\.io/a/b:1"):
        environment.received(read(), tmp_path)


def test_another_cluster_is_refused() -> None:
    with pytest.raises(WrongCluster) as caught:
        environment.right_cluster(read(), FakeCluster(identity="other"), "test")
    assert "other" in caught.value.given
    assert CLUSTER in caught.value.why


def test_a_stack_that_names_no_cluster_is_told_the_one_that_was_found() -> None:
    with pytest.raises(WrongCluster) as caught:
        environment.right_cluster(read(cluster=None), FakeCluster(), "test")
    assert f"pulumi config set sealift:cluster {CLUSTER}" in caught.value.instead


def test_the_right_cluster_passes() -> None:
    environment.right_cluster(read(), FakeCluster(), "test")


@pytest.mark.parametrize("field", ["model", "runtime"])
def test_a_name_that_the_receipt_lacks_is_refused(tmp_path: Path, field: str) -> None:
    make_receipt(tmp_path)
    stack = read(models=[{**MODEL, field: "unknown"}])
    with pytest.raises(NotInReceipt, match="unknown"):
        run(lambda: deploy(stack, tmp_path).urn)


def test_values_for_a_part_that_does_not_exist_are_refused(tmp_path: Path) -> None:
    make_receipt(tmp_path)
    with pytest.raises(NotInReceipt, match="istoid"):
        deploy(read(values={"istoid": {}}), tmp_path)


def deploy(stack: config.StackConfig, directory: Path) -> Platform:
    receipt, origin = environment.received(stack, directory)
    return Platform("platform", environment.platform_args(stack, receipt, origin, FakeCluster(), directory))


def test_five_lines_make_a_whole_platform(tmp_path: Path) -> None:
    make_receipt(tmp_path)
    noted = run(lambda: deploy(read(), tmp_path).urn)
    assert "inferenceservice/models/chat" in noted.documents
    assert "deployment/istio-system/istiod" in noted.documents


def test_two_environments_differ_by_their_configuration_alone(tmp_path: Path) -> None:
    make_receipt(tmp_path)
    small = run(lambda: deploy(read(size="small", domain="a.test"), tmp_path).urn).documents
    large = run(lambda: deploy(read(size="standard", domain="b.test"), tmp_path).urn).documents
    assert {k for k in set(large) ^ set(small) if not k.startswith("poddisruptionbudget/")} == set()
    assert large["deployment/knative-serving/activator"]["spec"]["replicas"] == 2
    assert "a.test" in str(small) and "a.test" not in str(large)


def test_a_resource_is_named_by_what_it_is_and_not_by_its_environment(tmp_path: Path) -> None:
    make_receipt(tmp_path)
    noted = run(lambda: deploy(read(), tmp_path).urn)
    assert all(name == name.lower() and "/" in name for name in noted.documents)
