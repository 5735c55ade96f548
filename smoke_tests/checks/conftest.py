"""What the checks start from: the environment, its cluster, its models, client pods, and a place for facts."""

from __future__ import annotations

from collections.abc import Iterator

import openai
import pytest

from smoke_tests import probes, session
from smoke_tests.cluster import Cluster, wait_until
from smoke_tests.environment import Environment, ServedModel
from smoke_tests.evidence import Fact
from smoke_tests.gateway import openai_client
from smoke_tests.inventory import RunningImage
from smoke_tests.plugin import CLUSTER, ENVIRONMENT, FACTS


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One check for each model (``model``), or for the first model of each serving mode (``typical_model``)."""
    models = metafunc.config.stash[ENVIRONMENT].outputs.models
    if "model" in metafunc.fixturenames:
        metafunc.parametrize("model", models, ids=lambda m: f"{m.namespace}/{m.name}")
    if "typical_model" in metafunc.fixturenames:
        metafunc.parametrize("typical_model", one_of_each_mode(models), ids=lambda m: m.mode)


def one_of_each_mode(models: list[ServedModel]) -> list[ServedModel]:
    """The first model of each serving mode."""
    return list({m.mode: m for m in reversed(models)}.values())


@pytest.fixture(scope="session")
def environment(pytestconfig: pytest.Config) -> Environment:
    return pytestconfig.stash[ENVIRONMENT]


@pytest.fixture(scope="session")
def typical_models(environment: Environment) -> list[ServedModel]:
    return one_of_each_mode(environment.outputs.models)


@pytest.fixture(scope="session")
def cluster(pytestconfig: pytest.Config) -> Cluster:
    return pytestconfig.stash[CLUSTER]


@pytest.fixture
def facts(request: pytest.FixtureRequest) -> dict[str, Fact]:
    """What the check saw; becomes part of its evidence whether it passes or fails."""
    found: dict[str, Fact] = request.node.stash.setdefault(FACTS, {})
    return found


@pytest.fixture
def client(environment: Environment, model: ServedModel) -> Iterator[openai.OpenAI]:
    with openai_client(environment, model) as client:
        yield client


@pytest.fixture(scope="session")
def images(environment: Environment, cluster: Cluster) -> list[RunningImage]:
    """What runs; a container that is just starting gets a minute to be there."""
    wait_until(lambda: all(i.digest for i in session.running(environment, cluster)), seconds=60, every=5)
    return session.running(environment, cluster)


@pytest.fixture(scope="session")
def probe_pods(environment: Environment, cluster: Cluster) -> Iterator[None]:
    """The client pods, for as long as checks need them."""
    with probes.running(cluster, environment.probe_image):
        yield
