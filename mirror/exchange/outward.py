"""A lock as other tools' configuration: the same content by digest, as far as each can say it.

Hauler: https://docs.hauler.dev; Zarf: https://docs.zarf.dev/ref/create; oc-mirror v2:
https://github.com/openshift/oc-mirror/tree/main/docs
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from ..evidence.policy import rule_for
from ..lock import Lock, LockedChart, LockedImage, LockedManifest, LockedPart
from ..reference import Reference
from ..text import Dumper


@dataclass(frozen=True)
class Exported:
    """Files (name -> text) for another tool, and what of the lock it cannot say."""

    files: dict[str, str]
    left: list[str]


def export(lock: Lock, format_: str) -> Exported:
    """``lock`` for another tool, one of FORMATS; images by upstream's own digest, as what we cut is not there."""
    return FORMATS[format_](lock)


def _pinned(image: LockedImage) -> str:
    return f"{image.reference}@{image.upstream_digest}"


def _models(lock: Lock) -> list[str]:
    return [f"model {m.name}: it comes from a hub or a directory, not from a registry" for m in lock.models]


def _charts(lock: Lock) -> list[tuple[LockedPart, LockedChart, Reference]]:
    return [
        (p, p.content, Reference.parse(p.content.reference)) for p in lock.parts if isinstance(p.content, LockedChart)
    ]


def _releases(lock: Lock) -> list[tuple[LockedPart, LockedManifest]]:
    return [(p, p.content) for p in lock.parts if isinstance(p.content, LockedManifest)]


def _hauler(lock: Lock) -> Exported:
    platform = {"platform": lock.platforms[0]} if len(lock.platforms) == 1 else {}
    images = [{"name": _pinned(i), **platform, **_signer(lock, i)} for i in lock.images]
    charts = [
        {
            "name": ref.repository.rpartition("/")[2],
            "repoURL": f"oci://{ref.name.rpartition('/')[0]}",
            "version": ref.tag,
        }
        for _, _, ref in _charts(lock)
    ]
    files = [
        {"path": url, "name": f"{part.name}-{file.name}"}
        for part, release in _releases(lock)
        for url, file in zip(release.urls, release.files, strict=True)
    ]
    kinds: list[tuple[str, Sequence[Any]]] = [("Images", images), ("Charts", charts), ("Files", files)]
    documents = [
        {
            "apiVersion": "content.hauler.cattle.io/v1",
            "kind": kind,
            "metadata": {"name": f"sealift-{kind.lower()}"},
            "spec": {kind.lower(): items},
        }
        for kind, items in kinds
        if items
    ]
    left = [f"part {p.name}: the values that its chart is rendered with" for p, c, _ in _charts(lock) if c.values]
    return Exported({"hauler.yaml": _text(*documents)}, _models(lock) + left)


def _signer(lock: Lock, image: LockedImage) -> dict[str, str]:
    """Whose keyless signature Hauler is to want; it takes one signer, and keys only as files."""
    rule = rule_for(Reference.parse(image.reference), lock.signature_rules)
    if rule is None or len(rule.keyless) != 1 or rule.keys:
        return {}
    (signer,) = rule.keyless
    if signer.identity is not None:
        return {"certificate-identity": signer.identity, "certificate-oidc-issuer": signer.issuer}
    pattern = {"certificate-identity-regexp": f"^(?:{signer.identity_pattern})$"}
    return {**pattern, "certificate-oidc-issuer": signer.issuer}


def _zarf(lock: Lock) -> Exported:
    files: dict[str, str] = {}
    components: list[dict[str, Any]] = []
    by_name = {i.reference: i for i in lock.images}
    for part in lock.parts:
        component: dict[str, Any] = {"name": part.name, "required": True}
        if isinstance(part.content, LockedChart):
            component["charts"] = [_zarf_chart(part, part.content, files)]
        elif isinstance(part.content, LockedManifest):
            # Zarf takes the sha256 of a remote file behind an @.
            named = [f"{u}@{f.sha256}" for u, f in zip(part.content.urls, part.content.files, strict=True)]
            component["manifests"] = [{"name": part.name, **_namespace(part), "files": named}]
        if part.images:
            component["images"] = [_pinned(by_name[i]) for i in part.images]
        components.append(component)
    loose = [_pinned(i) for i in lock.images if not any(i.reference in p.images for p in lock.parts)]
    if loose:
        components.append({"name": "images", "required": True, "images": loose})
    metadata = {"name": "sealift", "description": "Exported from sealift.lock"}
    if len(lock.platforms) == 1:
        metadata["architecture"] = lock.platforms[0].split("/")[1]
    package = {"kind": "ZarfPackageConfig", "metadata": metadata, "components": components}
    return Exported({"zarf.yaml": _text(package), **files}, _models(lock))


def _zarf_chart(part: LockedPart, chart: LockedChart, files: dict[str, str]) -> dict[str, Any]:
    reference = Reference.parse(chart.reference)
    made: dict[str, Any] = {"name": part.name, "version": reference.tag, "url": f"oci://{reference.name}"}
    made |= {**_namespace(part), "releaseName": chart.release}
    if chart.values:
        name = f"values/{part.name}.yaml"
        files[name] = _text(chart.values)
        made["valuesFiles"] = [name]
    return made


def _namespace(part: LockedPart) -> dict[str, str]:
    return {"namespace": part.namespace} if part.namespace else {}


def _oc_mirror(lock: Lock) -> Exported:
    platforms = [dict(zip(("os", "architecture"), p.split("/"), strict=False)) for p in lock.platforms]
    # By digest; which tag it gets inside is said apart.
    names = [f"{Reference.parse(i.reference).name}@{i.upstream_digest}" for i in lock.images]
    tags = [re.sub(r"[^\w.-]", "-", Reference.parse(i.reference).tag or "latest") for i in lock.images]
    images = [{"name": n, "targetTag": t, "platforms": platforms} for n, t in zip(names, tags, strict=True)]
    configuration = {
        "kind": "ImageSetConfiguration",
        "apiVersion": "mirror.openshift.io/v2alpha1",
        "mirror": {"additionalImages": images},
    }
    left = [f"part {p.name}: its chart is in a registry, and oc-mirror reads repositories" for p, _, _ in _charts(lock)]
    left += [f"part {p.name}: its release YAML" for p, _ in _releases(lock)]
    return Exported({"imageset-config.yaml": _text(configuration)}, _models(lock) + left)


def _text(*documents: dict[str, Any]) -> str:
    return str(yaml.dump_all(documents, Dumper=Dumper, sort_keys=False, width=1000))


FORMATS = {"hauler": _hauler, "zarf": _zarf, "oc-mirror": _oc_mirror}
