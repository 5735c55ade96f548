"""What runs, image by image, read off the pods; and how it differs from what the receipt says was carried."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from mirror.document import Strict
from mirror.receipt import Receipt

_KINDS = (
    ("containers", "containerStatuses"),
    ("initContainers", "initContainerStatuses"),
    ("ephemeralContainers", "ephemeralContainerStatuses"),
)


class RunningImage(Strict):
    """One image of one container or image volume."""

    namespace: str
    pod: str
    name: str
    """Of the container or the volume."""
    kind: Literal["container", "volume"]
    image: str
    """As the pod names it."""
    digest: str
    """What the container runtime runs; of a volume what its reference names; empty until the image is there."""
    upstream: str = ""
    """The receipt's upstream name of that digest; empty when the receipt does not hold it."""


def inventory(pods: Iterable[dict[str, Any]], receipt: Receipt) -> list[RunningImage]:
    """Every image of ``pods`` (as the API gives them), sorted by namespace, pod and name."""
    names = upstream_names(receipt)
    found = [image for pod in pods for image in (*_containers(pod, names), *_volumes(pod, names))]
    return sorted(found, key=lambda i: (i.namespace, i.pod, i.kind, i.name))


def upstream_names(receipt: Receipt) -> dict[str, str]:
    """Upstream name by digest, of all images and models that arrived."""
    models = {m.digest: f"{m.origin}@{m.revision}" for m in receipt.models}
    return models | {i.digest: i.reference for i in receipt.images}


def not_carried(images: Iterable[RunningImage], receipt: Receipt) -> list[str]:
    """One line for each image that runs with a digest that the receipt does not hold."""
    held = upstream_names(receipt)
    return [f"{_place(i)} runs {i.digest or 'nothing yet'}" for i in images if i.digest not in held]


def misnamed(images: Iterable[RunningImage], receipt: Receipt) -> list[str]:
    """One line for each image that is not named exactly as the receipt says: internal registry, digest, no tag."""
    allowed = {i.mirrored for i in receipt.images} | {m.mirrored for m in receipt.models}
    return [f"{_place(i)} names {i.image}" for i in images if i.image not in allowed]


def _containers(pod: dict[str, Any], names: dict[str, str]) -> Iterable[RunningImage]:
    for field, status_field in _KINDS:
        ids = {s["name"]: s.get("imageID", "") for s in pod.get("status", {}).get(status_field) or []}
        for container in pod["spec"].get(field) or []:
            digest = _digest(ids.get(container["name"], ""))
            yield _image(pod, container["name"], "container", container["image"], digest, names)


def _volumes(pod: dict[str, Any], names: dict[str, str]) -> Iterable[RunningImage]:
    for volume in pod["spec"].get("volumes") or []:
        if "image" in volume:
            reference = volume["image"]["reference"]
            yield _image(pod, volume["name"], "volume", reference, _digest(reference), names)


def _image(
    pod: dict[str, Any], name: str, kind: Literal["container", "volume"], image: str, digest: str, names: dict[str, str]
) -> RunningImage:
    where = pod["metadata"]
    return RunningImage(
        namespace=where["namespace"],
        pod=where["name"],
        name=name,
        kind=kind,
        image=image,
        digest=digest,
        upstream=names.get(digest, ""),
    )


def _digest(image_id: str) -> str:
    """``registry/name@sha256:...`` (some runtimes put a scheme before it) to ``sha256:...``."""
    return image_id.rpartition("@")[2] if "sha256:" in image_id else ""


def _place(image: RunningImage) -> str:
    return f"{image.namespace}/{image.pod} {image.kind} {image.name}"
