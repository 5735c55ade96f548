"""Stands for a CNI that enforces NetworkPolicy, as none can be had from a package registry; for one node, IPv4.

    python -m testbed.node.policy_enforcer --ca FILE --certificate FILE --key FILE --leases DIRECTORY

Runs in the node's network namespace, watches pods, namespaces and policies, and keeps one nftables table. Prints a line
of JSON for every address a pod is given, and for every change of the rules. Ends only by a signal.
"""

from __future__ import annotations

import argparse
import json
import queue
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from . import addresses
from .leases import Lease, Records
from .policy_model import Pod, Policy
from .policy_rules import State, render

_RESOURCES = {
    "pods": "/api/v1/pods",
    "namespaces": "/api/v1/namespaces",
    "policies": "/apis/networking.k8s.io/v1/networkpolicies",
}
_PERIOD = 0.05  # seconds between two looks at the leases, less than a container takes to start in its sandbox
_AGAIN = 0.2  # seconds before a failed list or watch is tried again
_WATCH = 240  # seconds a watch lasts

Objects = dict[str, dict[str, Any]]
Change = tuple[str, Objects]


def state(known: dict[str, Objects], leased: frozenset[Lease]) -> State:
    """The values that the rules are made of, from API objects by resource and from the CNI's records."""
    given = {f"{lease.namespace}/{lease.name}": lease.address for lease in leased}
    pods = [Pod.of(pod, given.get(key)) for key, pod in sorted(known["pods"].items())]
    return State(
        pods=[pod for pod in pods if pod],
        namespaces={n["metadata"]["name"]: n["metadata"].get("labels", {}) for n in known["namespaces"].values()},
        policies=[Policy.model_validate(policy) for _, policy in sorted(known["policies"].items())],
    )


def enforce(changes: queue.SimpleQueue[Change], records: Records) -> None:
    """Apply the rules of the present state whenever it changes; begins when every resource is known."""
    known: dict[str, Objects] = {}
    leased: frozenset[Lease] = frozenset()
    applied, stale = "", False
    while True:
        news = _news(changes)
        known |= news
        present = records.look()
        for lease in sorted(present - leased, key=str):
            _say(lease=lease.model_dump())
        stale = stale or bool(news) or present != leased
        leased = present
        if stale and len(known) == len(_RESOURCES):
            rules = render(state(known, leased))
            stale = rules != applied and not _apply(rules)
            applied = applied if stale else rules


def _apply(rules: str) -> bool:
    """Whether nft took the rules; when not, the old ones stay, and new pods are refused until it does."""
    done = subprocess.run(["nft", "-f", "-"], input=rules, text=True, capture_output=True)
    _say(**({"refused": done.stderr} if done.returncode else {"applied": len(rules)}))
    return done.returncode == 0


def follow(api: httpx.Client, kind: str, changes: queue.SimpleQueue[Change]) -> None:
    """List and watch one resource for ever, putting all its objects after each change."""
    while True:
        try:
            for objects in _watched(api, _RESOURCES[kind]):
                changes.put((kind, objects))
        except (httpx.HTTPError, json.JSONDecodeError) as e:  # the API server is not up yet, or restarts
            _say(resource=kind, again=str(e))
            time.sleep(_AGAIN)


def _watched(api: httpx.Client, path: str) -> Iterator[Objects]:
    listed = api.get(path).raise_for_status().json()
    objects = {_key(item): item for item in listed["items"]}
    yield dict(objects)
    since = {"watch": "1", "timeoutSeconds": str(_WATCH), "resourceVersion": listed["metadata"]["resourceVersion"]}
    with api.stream("GET", path, params=since, timeout=httpx.Timeout(10, read=_WATCH + 30)) as answer:
        for line in answer.raise_for_status().iter_lines():
            event = json.loads(line)
            if event["type"] == "ERROR":  # the version is too old: list again
                return
            if event["type"] == "DELETED":
                objects.pop(_key(event["object"]), None)
            else:
                objects[_key(event["object"])] = event["object"]
            yield dict(objects)


def _news(changes: queue.SimpleQueue[Change]) -> dict[str, Objects]:
    """The changes that are there, or come in within the period; the latest of each resource."""
    try:
        news = [changes.get(timeout=_PERIOD)]
    except queue.Empty:
        return {}
    while not changes.empty():
        news.append(changes.get())
    return dict(news)


def _key(item: dict[str, Any]) -> str:
    return f"{item['metadata'].get('namespace', '')}/{item['metadata']['name']}"


def _say(**fields: object) -> None:
    print(json.dumps(fields), flush=True)


def main() -> None:
    """Start one thread for each resource; look at the leases and apply the rules in this one."""
    parser = argparse.ArgumentParser()
    for name in ("ca", "certificate", "key", "leases"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    given = parser.parse_args()
    tls = ssl.create_default_context(cafile=given.ca)
    tls.load_cert_chain(given.certificate, given.key)
    api = httpx.Client(base_url=addresses.API_SERVER, verify=tls, trust_env=False)
    changes: queue.SimpleQueue[Change] = queue.SimpleQueue()
    for kind in _RESOURCES:
        threading.Thread(target=follow, args=(api, kind, changes), daemon=True).start()
    enforce(changes, Records(given.leases))


if __name__ == "__main__":
    main()
