"""registries.conf of CRI-O, podman and skopeo.

Source of the format: https://github.com/containers/image/blob/v5.36.0/docs/containers-registries.conf.5.md
"""

from __future__ import annotations

import json

from .places import Places

CONF = "registries.conf.d/50-sealift.conf"


def files(places: Places) -> dict[str, str]:
    """What belongs into ``/etc/containers``; the authority goes to ``/etc/containers/certs.d/<registry>/ca.crt``.

    ``blocked`` forbids the registry itself, not its mirror, so nothing is ever asked outside. Short names are not
    looked for anywhere: which registry they would be of is not for a node to guess.
    """
    head = '# Written by sealift from a receipt.\nunqualified-search-registries = []\nshort-name-mode = "enforcing"\n'
    return {CONF: head + "".join(_registry(n, f"{places.registry}/{p}") for n, p in places.below.items())}


def _registry(name: str, place: str) -> str:
    return (
        f"\n[[registry]]\nprefix = {json.dumps(name)}\nlocation = {json.dumps(name)}\nblocked = true\n"
        f"\n[[registry.mirror]]\nlocation = {json.dumps(place)}\n"
    )
