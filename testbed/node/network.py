"""Two network namespaces joined by a veth, neither linked to the host; a guard in each counts what tries to get out."""

from __future__ import annotations

from pathlib import Path

from mirror.errors import ToolMissing

from . import addresses
from .content import render
from .processes import output

NAMED = Path("/run/netns")
"""Where iproute2 binds the network namespaces that have names (ip-netns(8))."""

_DEVICES = ("eth0", "sink")


def create(site: str, node: str) -> None:
    """Make both namespaces with addresses, sinks and guards; raises ToolMissing naming what the kernel lacks."""
    for name in (site, node):
        output(["ip", "netns", "add", name])
    output(["ip", "-n", site, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", node])
    for name, own in ((site, addresses.SITE), (node, addresses.NODE)):
        output(["ip", "-n", name, "link", "add", "sink", "type", "bridge"])
        # Before the devices are up: their own multicast would be counted as egress.
        set_kernel(name, {f"net.ipv6.conf.{device}.disable_ipv6": "1" for device in _DEVICES})
        output(["ip", "-n", name, "-batch", "-"], given=_links(own))
    set_kernel(node, {"net.ipv4.ip_forward": "1", "net.bridge.bridge-nf-call-iptables": "1"})
    guard(site, "site.nft")
    guard(node, "node.nft")


def guard(namespace: str, template: str) -> None:
    """Load the rules of ``template`` in ``namespace``."""
    output([*inside(namespace), "nft", "-f", "-"], given=render(template))


def delete(namespace: str) -> None:
    """Take the name away; the kernel ends the namespace with its devices and rules when no process is left in it."""
    if (NAMED / namespace).exists():
        output(["ip", "netns", "delete", namespace])


def inside(namespace: str) -> list[str]:
    """The words before a command that put it into ``namespace``, with the files of /etc/netns over those of /etc.

    ``ip`` gives it a mount namespace and a /sys of its own (without cgroups), then becomes the command: the pid stays.
    """
    return ["ip", "netns", "exec", namespace]


def inside_bare(namespace: str) -> list[str]:
    """The words before a command that put it into ``namespace`` and change nothing else; the pid stays."""
    return ["nsenter", f"--net={NAMED / namespace}"]


def set_kernel(namespace: str, values: dict[str, str]) -> None:
    """Set network sysctls of ``namespace``; raises ToolMissing when the kernel has no such setting."""
    try:
        output([*inside(namespace), "sysctl", "-qw", *(f"{key}={value}" for key, value in values.items())])
    except ToolMissing as e:
        raise ToolMissing(
            f"kernel settings {', '.join(values)}", e.why, "Load the module (modprobe br_netfilter) and start again."
        ) from e


def _links(own: str) -> str:
    """Commands for ``ip -batch``. The default route leads to a bridge without ports: attempts pass the guard."""
    return "\n".join(
        [
            "link set lo up",
            f"addr add {own}/{addresses.PREFIX} dev eth0",
            "link set eth0 up",
            "link set sink up",
            f"route add default dev sink src {own}",
            "",
        ]
    )
