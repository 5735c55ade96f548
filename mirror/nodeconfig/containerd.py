"""containerd's hosts.toml: one for each upstream registry and one for ours.

Source of the format: https://github.com/containerd/containerd/blob/v2.2.0/docs/hosts.md
"""

from __future__ import annotations

from pathlib import PurePosixPath

from .places import Places

HOSTS = "hosts.toml"


def files(places: Places, ca_file: PurePosixPath | None) -> dict[str, str]:
    """``<directory>/hosts.toml`` -> text, for containerd's ``config_path``.

    ``server`` and the one ``[host]`` are both the internal registry, so containerd has no other place to ask and a
    name that never crossed the gap is "not found", without an attempt to reach the outside. ``ca_file`` is where the
    authority's certificate lies on the node; None leaves the node's own trust.
    """
    inside = f"https://{places.registry}/v2"
    urls = {name: f"{inside}/{path}" for name, path in places.below.items()} | {places.registry: inside}
    return {f"{directory(name)}/{HOSTS}": _hosts(urls[name], ca_file) for name in sorted(urls)}


def directory(host: str) -> str:
    """The directory that containerd looks in for ``host[:port]``; a port is written ``_port_`` on every system.

    Linux also knows ``host:port``; this form is looked for first (containerd, core/remotes/docker/config/hosts.go).
    """
    name, colon, port = host.rpartition(":")
    return f"{name}_{port}_" if colon else host


def _hosts(url: str, ca_file: PurePosixPath | None) -> str:
    """override_path keeps containerd from putting ``/v2`` behind the URL."""
    ca = f'  ca = "{ca_file}"\n' if ca_file else ""
    return f'server = "{url}"\n\n[host."{url}"]\n  capabilities = ["pull", "resolve"]\n  override_path = true\n{ca}'
