"""Stand-in for pulumi-resource-kubernetes, in no registry: why an object is not ready, for the message."""

from __future__ import annotations

from typing import Any

from testbed.pulumi.provider import conditions
from testbed.pulumi.provider.api import ApiError
from testbed.pulumi.provider.readiness import Reader

Object = dict[str, Any]

PODS = 3
EVENTS = 2


def explain(obj: Object, api: Reader) -> list[str]:
    """What holds an object's pods up: waiting containers, scheduling, the last warnings; perhaps nothing."""
    namespace = obj["metadata"].get("namespace")
    if not namespace:
        return []
    try:
        pods = _pods(obj, namespace, api)
        selector = f"involvedObject.uid={obj['metadata']['uid']},type=Warning"
        events = api.items("v1", "Event", namespace, fieldSelector=selector)[-EVENTS:]
    except ApiError as error:
        return [f"(no more is known: {error})"]
    warnings = [f"event {event.get('reason')}: {event.get('message')}" for event in events]
    return [line for pod in pods[:PODS] for line in _pod_lines(pod)] + warnings


def _pods(obj: Object, namespace: str, api: Reader) -> list[Object]:
    selector = (obj.get("spec") or {}).get("selector") or {}
    labels = selector.get("matchLabels") if isinstance(selector, dict) else None
    if not labels:
        return []
    return api.items("v1", "Pod", namespace, labelSelector=",".join(f"{key}={value}" for key, value in labels.items()))


def _pod_lines(pod: Object) -> list[str]:
    name, status = pod["metadata"]["name"], pod.get("status") or {}
    lines = []
    for container in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        state = container.get("state") or {}
        stuck = state.get("waiting") or state.get("terminated")
        if stuck and stuck.get("reason") != "Completed":
            lines.append(
                f"pod {name}, container {container['name']}: {stuck.get('reason')}: {stuck.get('message', '')}"
            )
    scheduled = conditions.by_type(pod).get("PodScheduled", {})
    if scheduled.get("status") == "False":
        lines.append(f"pod {name}: {scheduled.get('reason')}: {scheduled.get('message')}")
    return lines
