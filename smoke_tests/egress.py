"""What tries to leave: the places that the checks ask for, and the site's own account of attempts."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from mirror.document import FileModel, Strict

OUTSIDE_ADDRESS = "1.1.1.1"
"""A public address."""

OUTSIDE_URLS = (
    f"https://{OUTSIDE_ADDRESS}/",
    "https://huggingface.co/",
    "https://docker.io/",
    "https://stats.vllm.ai/",
    "http://169.254.169.254/",
)
"""A public address, the origins of models, images and telemetry, and the cloud's metadata service."""

OUTSIDE_RESOLVER = "8.8.8.8"
"""A public DNS server, asked over TCP port 53."""

CLUSTER_DOMAIN = "cluster.local."
SERVICE_SUFFIX = ".svc."
"""Of ``<service>.<namespace>.svc``: a resolver asks for it as it is when the Service was not there yet and its search
list found nothing. There is no such domain outside."""


class Packets(Strict):
    """Packets that the site's guard stopped, by who sent them where."""

    source: str
    """``<namespace>/<pod>``; ``site`` for the machine that operators work on; else the node's name."""
    destination: str
    """IP address."""
    protocol: str
    port: int
    packets: int


class Question(Strict):
    """A name that was asked of the cluster's DNS."""

    source: str
    name: str


class EgressLog(FileModel):
    """The site's account, written by whoever operates it. What a file lacks is taken as nothing seen."""

    packets: list[Packets] = []
    dns: list[Question] = []


def unexplained(
    log: EgressLog,
    *,
    probes: Sequence[str],
    machine: str = "site",
    inside: Sequence[str] = (),
    trials: Sequence[tuple[str, str]] = (),
) -> tuple[list[Packets], list[Question]]:
    """The attempts that are nobody's but the platform's own.

    ``probes`` are the pods (``namespace/name``) whose attempts the checks made; ``machine`` is what the account calls
    the machine that the checks run on, and only the places that they ask for are explained there. ``inside`` are the
    cluster's Service ranges (CIDR): an address there without endpoints is not translated, passes the guard and is
    counted, but is no way out. Names below the cluster's domain, a Service's in its short form, and those of a single
    label are inside as well; and so are ``<service>.<namespace>`` of ``trials``, models (name, namespace) that the
    checks made and removed: who still watches such a Service finds it nowhere in its search list, and asks for it as
    it is.
    """
    ranges = [ip_network(r) for r in inside]
    asked_for = {urlsplit(u).hostname for u in OUTSIDE_URLS} | {OUTSIDE_RESOLVER}

    def explained(source: str, place: str) -> bool:
        return source in probes or (source == machine and place in asked_for)

    packets = [p for p in log.packets if not explained(p.source, p.destination) and not _within(p.destination, ranges)]
    questions = [q for q in log.dns if not explained(q.source, q.name.rstrip(".")) and not _is_inside(q.name)]
    return packets, [q for q in questions if not _is_of(trials, q.name)]


def _within(destination: str, ranges: list[IPv4Network | IPv6Network]) -> bool:
    return any(ip_address(destination) in r for r in ranges)


def _is_of(trials: Sequence[tuple[str, str]], name: str) -> bool:
    service, _, namespace = name.rstrip(".").partition(".")
    return any(service.startswith(f"{trial}-predictor") and namespace == where for trial, where in trials)


def _is_inside(name: str) -> bool:
    rooted = name.rstrip(".") + "."
    return rooted.endswith((f".{CLUSTER_DOMAIN}", SERVICE_SUFFIX)) or rooted == CLUSTER_DOMAIN or rooted.count(".") == 1
