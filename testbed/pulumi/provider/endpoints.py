"""Stand-in for pulumi-resource-kubernetes, in no registry: when a Service is ready.

Documented: a Service is ready when every pod it selects is (headless, external-name and selector-less ones at once),
and when its endpoints have not changed for a while, so that what depends on it meets a Service that really answers.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from testbed.pulumi.provider.readiness import Reader, load_balancer

Object = dict[str, Any]

SETTLE_SECONDS = 2.0  # 10 with the official provider; node proxies here follow within one
EMPTY_SECONDS = 10.0  # after which a Service that selects no pod at all is as ready as it gets


class ServiceRule:
    """One wait for one Service; it remembers when the endpoints last changed."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: tuple[int, int] | None = None
        self._changed = clock()

    def __call__(self, obj: Object, api: Reader) -> str | None:
        """None when the Service is ready, or why it is not."""
        if (reason := load_balancer(obj)) is not None:
            return reason
        if not _has_endpoints(obj["spec"]):
            return None
        ready, unready = count(obj, api)
        if (ready, unready) != self._last:
            self._last, self._changed = (ready, unready), self._clock()
        if unready:
            return f"{unready} of the {ready + unready} pods that it selects are not ready"
        unchanged = self._clock() - self._changed
        if not ready:
            return None if unchanged >= EMPTY_SECONDS else "no pod that it selects is ready"
        return None if unchanged >= SETTLE_SECONDS else "its endpoints have only just changed"


def ready_now(obj: Object, api: Reader) -> str | None:
    """As the rule, for a single look (a refresh), where nothing can settle."""
    if (reason := load_balancer(obj)) is not None or not _has_endpoints(obj["spec"]):
        return reason
    _, unready = count(obj, api)
    return f"{unready} of the pods that it selects are not ready" if unready else None


def count(obj: Object, api: Reader) -> tuple[int, int]:
    """How many endpoints of a Service are ready, and how many are not."""
    selector = f"kubernetes.io/service-name={obj['metadata']['name']}"
    slices = api.items("discovery.k8s.io/v1", "EndpointSlice", obj["metadata"]["namespace"], labelSelector=selector)
    endpoints = [endpoint for part in slices for endpoint in part.get("endpoints") or []]
    ready = sum(1 for endpoint in endpoints if (endpoint.get("conditions") or {}).get("ready") is not False)
    return ready, len(endpoints) - ready


def _has_endpoints(spec: Object) -> bool:
    return spec.get("type") != "ExternalName" and bool(spec.get("selector")) and spec.get("clusterIP") != "None"
