from __future__ import annotations

from typing import Any

import pytest

from testbed.pulumi.provider.endpoints import EMPTY_SECONDS, SETTLE_SECONDS, ServiceRule, ready_now

Object = dict[str, Any]


class Slices:
    """A reader whose EndpointSlices a test can change."""

    def __init__(self, *ready: bool) -> None:
        self.ready = list(ready)

    def get(self, version: str, kind: str, namespace: str | None, name: str) -> Object:
        raise AssertionError("a Service rule reads endpoint slices only")

    def request(self, method: str, path: str) -> object:
        raise AssertionError("a Service rule reads endpoint slices only")

    def items(self, version: str, kind: str, namespace: str | None, **query: str) -> list[Object]:
        assert (kind, query) == ("EndpointSlice", {"labelSelector": "kubernetes.io/service-name=web"})
        return [{"endpoints": [{"conditions": {"ready": ready}} for ready in self.ready]}]


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def service(**spec: object) -> Object:
    return {"metadata": {"name": "web", "namespace": "n"}, "spec": {"selector": {"app": "web"}, **spec}}


def test_a_service_is_ready_once_its_endpoints_have_settled() -> None:
    clock, slices = Clock(), Slices(False)
    rule = ServiceRule(clock)
    assert rule(service(), slices) == "1 of the 1 pods that it selects are not ready"
    slices.ready = [True]
    assert rule(service(), slices) == "its endpoints have only just changed"
    clock.now = SETTLE_SECONDS
    assert rule(service(), slices) is None


def test_a_change_starts_the_settling_anew() -> None:
    clock, slices = Clock(), Slices(True)
    rule = ServiceRule(clock)
    rule(service(), slices)
    clock.now, slices.ready = SETTLE_SECONDS, [True, True]
    assert rule(service(), slices) is not None


def test_a_service_that_selects_no_pod_is_ready_after_a_while() -> None:
    clock = Clock()
    rule = ServiceRule(clock)
    assert rule(service(), Slices()) == "no pod that it selects is ready"
    clock.now = EMPTY_SECONDS
    assert rule(service(), Slices()) is None


@pytest.mark.parametrize("spec", [{"clusterIP": "None"}, {"type": "ExternalName"}, {"selector": {}}])
def test_a_service_without_endpoints_of_its_own_is_ready_at_once(spec: dict[str, object]) -> None:
    assert ServiceRule(Clock())(service(**spec), Slices(False)) is None


def test_a_load_balancer_needs_an_address() -> None:
    assert ServiceRule(Clock())(service(type="LoadBalancer"), Slices(True)) == "it has no address yet"


def test_a_refresh_looks_once_and_lets_nothing_settle() -> None:
    assert ready_now(service(), Slices(True)) is None
    assert ready_now(service(), Slices(True, False)) == "1 of the pods that it selects are not ready"
