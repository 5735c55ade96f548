"""What tried to leave the site: packets that the guards counted, and questions about names outside the cluster."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mirror.document import FileModel, Strict

from . import addresses, network
from .cluster import Cluster
from .processes import output
from .site import Site

# CoreDNS' log plugin: [INFO] CLIENT:PORT - ID "TYPE CLASS NAME PROTO SIZE DO BUFSIZE" RCODE ...
_QUESTION = re.compile(r'\[INFO\] (?P<client>\S+):\d+ - \d+ "(?P<type>\S+) \S+ (?P<name>\S+) ')


class Attempt(Strict):
    """Packets from one source to one destination; ``port`` is 0 for ICMP. ``origin`` names the source if it is known.

    ``origin`` is ``pod NAMESPACE/NAME``, ``node`` (a daemon or a pod on the host network), ``site`` (an operator's
    command) or ``unknown``; several pods joined by ``or`` when an address has passed from one to the next.
    """

    origin: str
    source: str
    destination: str
    protocol: str
    port: int
    packets: int


class Question(Strict):
    """How often one source asked for a name that is neither the cluster's nor the platform's own."""

    origin: str
    source: str
    name: str
    type: str
    times: int


class EgressReport(FileModel):
    """All that was seen since the site started. ``write`` saves it as JSON or YAML by the ending of the name."""

    attempts: list[Attempt]
    questions: list[Question]

    @property
    def quiet(self) -> bool:
        """Whether nothing tried to leave and nothing asked for a name outside."""
        return not self.attempts and not self.questions


def egress(site: Site, cluster: Cluster) -> EgressReport:
    """Read the counters of both namespaces and the logs of both name servers, from the start of the site.

    Pods are named by the addresses they were given, also those that are gone.
    """
    pods = json.loads(cluster.kubectl("get", "pods", "--all-namespaces", "-o", "json"))
    given = [*_given(_lines([cluster.address_log])), *_present(pods)]
    origins = pod_origins(given) | {addresses.SITE: "site", addresses.NODE: "node"}
    counted = [_elements(namespace) for namespace in (site.site_namespace, site.node_namespace)]
    logs = [site.dns_log, *sorted(cluster.pod_logs.glob("kube-system_coredns-*/coredns/*.log*"))]
    return EgressReport(
        attempts=[attempt for elements in counted for attempt in attempts(elements, origins)],
        questions=questions(_lines(logs), origins),
    )


def attempts(ruleset: dict[str, Any], origins: dict[str, str]) -> list[Attempt]:
    """The attempts in ``nft --json list set inet egress attempts``, the most packets first."""
    found = []
    for entry in ruleset["nftables"]:
        for element in entry.get("set", {}).get("elem", []):
            source, destination, protocol, port = element["elem"]["val"]["concat"]
            found.append(
                Attempt(
                    origin=origins.get(source, "unknown"),
                    source=source,
                    destination=destination,
                    protocol=str(protocol),
                    port=int(port),
                    packets=element["elem"]["counter"]["packets"],
                )
            )
    return sorted(found, key=lambda attempt: -attempt.packets)


def questions(lines: Iterable[str], origins: dict[str, str]) -> list[Question]:
    """The questions in log lines of CoreDNS (bare, or as the kubelet keeps them), the most frequent first."""
    seen = Counter((m["client"], m["name"], m["type"]) for m in map(_QUESTION.search, lines) if m)
    return [
        Question(origin=origins.get(client, "unknown"), source=client, name=name.rstrip("."), type=kind, times=times)
        for (client, name, kind), times in seen.most_common()
    ]


def pod_origins(given: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Address -> who had it, from pairs of address and ``NAMESPACE/NAME`` in the order in which they were given."""
    had: dict[str, dict[str, None]] = {}
    for address, pod in given:
        had.setdefault(address, {})[f"pod {pod}"] = None
    return {address: " or ".join(pods) for address, pods in had.items()}


def _given(lines: Iterable[str]) -> Iterable[tuple[str, str]]:
    """The addresses that the enforcer of NetworkPolicy has seen the CNI give."""
    for line in lines:
        lease = json.loads(line).get("lease") if line.startswith("{") else None
        if lease:
            yield lease["address"], f"{lease['namespace']}/{lease['name']}"


def _present(pods: dict[str, Any]) -> Iterable[tuple[str, str]]:
    """The addresses in the API server's list of pods."""
    for pod in pods["items"]:
        if not pod["spec"].get("hostNetwork"):
            for address in pod["status"].get("podIPs", []):
                yield address["ip"], f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


def _elements(namespace: str) -> dict[str, Any]:
    listing = output([*network.inside(namespace), "nft", "--json", "list", "set", "inet", "egress", "attempts"])
    ruleset: dict[str, Any] = json.loads(listing)
    return ruleset


def _lines(logs: Iterable[Path]) -> Iterable[str]:
    for log in logs:
        with log.open(encoding="utf-8", errors="replace") as text:
            yield from text
