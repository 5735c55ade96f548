"""Policies of the gateway that change while something is under way: Envoy then drains the listeners it had."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from .authorization import MESH_NAMESPACE
from .cluster import Cluster, Document

NAME = "sealift-smoke-change"
EVERY = 12.0
"""Seconds between two changes."""
LEAST = 1
"""So many make a stream one that has lasted through changes; on a busy cluster one change may take half a minute."""


@contextmanager
def changing(cluster: Cluster) -> Iterator[list[int]]:
    """While this lasts the gateway's policies change; the list has the numbers of the changes made."""
    made: list[int] = []
    over = Event()

    def keep_changing() -> None:
        while not over.wait(EVERY):
            cluster.apply(_change(len(made)))
            made.append(len(made))

    thread = Thread(target=keep_changing)
    thread.start()
    try:
        yield made
    finally:
        over.set()
        thread.join()
        cluster.delete(f"authorizationpolicies.security.istio.io/{NAME}", namespace=MESH_NAMESPACE)


def _change(number: int) -> Document:
    """A policy of the gateway that concerns nobody, each time another one."""
    operation = {"hosts": [f"nobody-asks-for-{number}.invalid"]}
    selector = {"matchLabels": {"istio": "ingressgateway"}}
    return {
        "apiVersion": "security.istio.io/v1",
        "kind": "AuthorizationPolicy",
        "metadata": {"name": NAME, "namespace": MESH_NAMESPACE},
        "spec": {"selector": selector, "action": "DENY", "rules": [{"to": [{"operation": operation}]}]},
    }
