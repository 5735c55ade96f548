"""What the checks start from: the environment, its cluster, its models, client pods, and a place for facts."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import openai
import pytest
from _pytest.mark import ParameterSet

from smoke_tests import probes, rollout, session, slow_start
from smoke_tests.cluster import Cluster, wait_until
from smoke_tests.environment import Environment, ServedModel
from smoke_tests.evidence import Fact
from smoke_tests.gateway import openai_client
from smoke_tests.inventory import RunningImage
from smoke_tests.plugin import CLUSTER, ENVIRONMENT, FACTS, not_asked
from smoke_tests.rollout import Story
from smoke_tests.slow_start import ColdStart


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One check for each model (``model``), or for each that can do what the check is about.

    ``typical_model`` is the first of each serving mode that generates text.
    """
    models = metafunc.config.stash[ENVIRONMENT].outputs.models
    generators = [m for m in models if m.task == "generate"]
    chosen = {
        "model": models,
        "generator": generators,
        "tool_caller": [m for m in generators if m.tools],
        "embedder": [m for m in models if m.task == "embed"],
        "typical_model": one_of_each_mode(generators),
    }
    for name in chosen.keys() & set(metafunc.fixturenames):
        metafunc.parametrize(name, chosen[name] or [_none(name)], ids=lambda m: f"{m.namespace}/{m.name}")


def one_of_each_mode(models: list[ServedModel]) -> list[ServedModel]:
    """The first model of each serving mode."""
    return list({m.mode: m for m in reversed(models)}.values())


def _none(kind: str) -> ParameterSet:
    """For a stack that has no such model: one check, not asked."""
    absent = ServedModel(
        name=f"no {kind}", namespace="", mode="Standard", url="", served_name="", service="", scale_to_zero=False
    )
    return pytest.param(absent, marks=pytest.mark.skip(f"the stack has no {kind.replace('_', ' ')}"))


@pytest.fixture(scope="session")
def environment(pytestconfig: pytest.Config) -> Environment:
    return pytestconfig.stash[ENVIRONMENT]


@pytest.fixture(scope="session")
def typical_models(environment: Environment) -> list[ServedModel]:
    return one_of_each_mode([m for m in environment.outputs.models if m.task == "generate"])


@pytest.fixture
def steady(environment: Environment) -> ServedModel:
    """A model that always runs, if there is one."""
    return sorted(environment.outputs.models, key=lambda m: m.scale_to_zero)[0]


@pytest.fixture(scope="session")
def cluster(pytestconfig: pytest.Config) -> Cluster:
    return pytestconfig.stash[CLUSTER]


@pytest.fixture
def facts(request: pytest.FixtureRequest) -> dict[str, Fact]:
    """What the check saw; becomes part of its evidence whether it passes or fails."""
    found: dict[str, Fact] = request.node.stash.setdefault(FACTS, {})
    return found


@pytest.fixture
def client(environment: Environment, request: pytest.FixtureRequest) -> Iterator[openai.OpenAI]:
    """A client of the model that the check is made for."""
    model = next(v for v in request.node.callspec.params.values() if isinstance(v, ServedModel))
    with openai_client(environment, model) as client:
        yield client


@pytest.fixture(scope="session", autouse=True)
def begun(
    request: pytest.FixtureRequest, environment: Environment, cluster: Cluster, typical_models: list[ServedModel]
) -> Iterator[dict[str, Future[Any]]]:
    """What takes minutes, mostly of waiting, and is needed by a check begins with the session."""
    needed = {name for item in request.session.items for name in getattr(item, "fixturenames", ())}
    trials = {
        kind: make(environment, cluster, like)
        for kind, make in (("rolled_out", rollout.trial), ("cold_start", slow_start.trial))
        for like in typical_models
        if kind in needed and like.mode == "Knative"
    }
    tell = {"rolled_out": rollout.tell, "cold_start": slow_start.wait_for}
    with ThreadPoolExecutor() as pool:
        stories: dict[str, Future[Any]] = {k: pool.submit(tell[k], t) for k, t in trials.items()}
        try:
            yield stories
        finally:
            for kind, story in stories.items():
                if not story.done():  # interrupted: without its model the story ends
                    trials[kind].remove()


@pytest.fixture(scope="session")
def rolled_out(begun: dict[str, Future[Any]]) -> Story:
    """The story of a rollout."""
    story: Story = _told(begun, "rolled_out")
    return story


@pytest.fixture(scope="session")
def cold_start(begun: dict[str, Future[Any]]) -> ColdStart:
    """A request that waited for a slow start."""
    found: ColdStart = _told(begun, "cold_start")
    return found


def _told(begun: dict[str, Future[Any]], kind: str) -> Any:  # noqa: ANN401 - what the story is
    if kind not in begun:
        not_asked("the stack has no model in Knative mode that generates text")
    return begun[kind].result()


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
