"""OpenShift's ImageDigestMirrorSet and ImageTagMirrorSet, and the registry's authority where it is given.

Source of the format: https://docs.openshift.com/container-platform/4.19/openshift_images/image-configuration.html
"""

from __future__ import annotations

from typing import Any

import yaml

from ..text import Dumper
from .places import Places

NAME = "sealift"
MIRRORS, TRUST = "mirror-sets.yaml", "registry-trust.yaml"
_SETS = {"ImageDigestMirrorSet": "imageDigestMirrors", "ImageTagMirrorSet": "imageTagMirrors"}


def files(places: Places, authority: str | None) -> dict[str, str]:
    """Manifests to apply; ``authority`` is the PEM of who signed the registry's certificate.

    NeverContactSource: a name that never crossed the gap fails inside instead of being looked for outside.
    """
    mirrors = [
        {"source": name, "mirrors": [f"{places.registry}/{path}"], "mirrorSourcePolicy": "NeverContactSource"}
        for name, path in places.below.items()
    ]
    sets = [
        {"apiVersion": "config.openshift.io/v1", "kind": kind, "metadata": {"name": NAME}, "spec": {field: mirrors}}
        for kind, field in _SETS.items()
    ]
    written = {MIRRORS: _text(sets)}
    if authority:
        written[TRUST] = _text(_trust(places.registry, authority))
    return written


def _trust(registry: str, authority: str) -> list[dict[str, Any]]:
    name = f"{NAME}-registry"
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": "openshift-config"},
            # A key cannot hold a colon; OpenShift reads ".." as one.
            "data": {registry.replace(":", ".."): authority},
        },
        {
            "apiVersion": "config.openshift.io/v1",
            "kind": "Image",
            "metadata": {"name": "cluster"},
            "spec": {"additionalTrustedCA": {"name": name}},
        },
    ]


def _text(documents: list[dict[str, Any]]) -> str:
    return str(yaml.dump_all(documents, Dumper=Dumper, sort_keys=False, width=120))
