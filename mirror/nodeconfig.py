"""What a node needs so that it pulls everything from the internal registry and nothing from anywhere else.

Source of the format: https://github.com/containerd/containerd/blob/v2.2.0/docs/hosts.md
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from .document import write_atomically
from .receipt import Receipt
from .reference import Reference, mirrored

HOSTS = "hosts.toml"


def containerd(receipt: Receipt, ca_file: PurePosixPath | None) -> dict[str, str]:
    """``<directory>/hosts.toml`` -> text, for containerd's ``config_path``: one per upstream registry and for ours.

    ``server`` and the one ``[host]`` are both the internal registry, so containerd has no other place to ask and a
    name that never crossed the gap is "not found", without an attempt to reach the outside. ``ca_file`` is where the
    authority's certificate lies on the node; None leaves the node's own trust.
    """
    inside = receipt.registry.partition("/")[0]
    names = {Reference.parse(i.reference).registry for i in receipt.images}
    names |= {m.origin.partition("/")[0] for m in receipt.models if "." in m.origin.partition("/")[0]}
    places = {name: _place(receipt.registry, name) for name in names} | {inside: f"https://{inside}/v2"}
    return {f"{directory(name)}/{HOSTS}": _hosts(places[name], ca_file) for name in sorted(places)}


def directory(host: str) -> str:
    """The directory that containerd looks in for ``host[:port]``; a port is written ``_port_`` on every system.

    Linux also knows ``host:port``; this form is looked for first (containerd, core/remotes/docker/config/hosts.go).
    """
    name, colon, port = host.rpartition(":")
    return f"{name}_{port}_" if colon else host


def write(files: dict[str, str], output: Path) -> list[Path]:
    """Write ``files`` below ``output``; returns the paths."""
    for name, text in files.items():
        write_atomically(output / name, text)
    return [output / name for name in files]


def _place(registry: str, upstream: str) -> str:
    """The URL below which the repositories of ``upstream`` are inside; override_path keeps containerd off ``/v2``."""
    root = mirrored(Reference(upstream, "x"), registry)
    return f"https://{root.registry}/v2/{root.repository.removesuffix('/x')}"


def _hosts(place: str, ca_file: PurePosixPath | None) -> str:
    ca = f'  ca = "{ca_file}"\n' if ca_file else ""
    return f'server = "{place}"\n\n[host."{place}"]\n  capabilities = ["pull", "resolve"]\n  override_path = true\n{ca}'
