"""registries.yaml of K3s and RKE2, and the setting without which they would ask outside after all.

Source of the format: https://docs.k3s.io/installation/private-registry
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import yaml

from ..text import Dumper
from .places import Places

REGISTRIES = "registries.yaml"
CONFIG = "config.yaml.d/sealift.yaml"


def files(places: Places, ca_file: PurePosixPath | None) -> dict[str, str]:
    """What belongs into ``/etc/rancher/k3s`` or ``/etc/rancher/rke2``.

    ``rewrite`` puts upstream's name before the repository. Both distributions ask upstream itself once the endpoints
    are exhausted, unless ``disable-default-registry-endpoint`` is set (K3s 1.29, RKE2 1.29).
    """
    endpoint = [f"https://{places.registry}"]
    mirrors: dict[str, Any] = {
        name: {"endpoint": endpoint, "rewrite": {"^(.*)$": f"{path}/$1"}} for name, path in places.below.items()
    }
    mirrors[places.registry] = {"endpoint": endpoint}
    registries: dict[str, Any] = {"mirrors": mirrors}
    if ca_file:
        registries["configs"] = {places.registry: {"tls": {"ca_file": str(ca_file)}}}
    return {REGISTRIES: _text(registries), CONFIG: _text({"disable-default-registry-endpoint": True})}


def _text(data: dict[str, Any]) -> str:
    return str(yaml.dump(data, Dumper=Dumper, sort_keys=False, width=120))
