"""What was promised held against what happened: images discovered and pulled, the cluster before and after."""

from __future__ import annotations

from collections.abc import Iterable

from mirror.document import Strict
from mirror.lock import Lock, LockedImage

# A container of one of these starts as soon as the object is applied, so its image must have been pulled.
STARTS_PODS = ("DaemonSet", "Deployment", "Job", "Pod", "StatefulSet")

# Made and remade by controllers for their own use; their coming and going says nothing about a stack.
TRANSIENT = frozenset({"bindings", "componentstatuses", "endpoints", "endpointslices.discovery.k8s.io", "events"})
TRANSIENT_KINDS = frozenset({"Event", "Lease", "Pod", "ReplicaSet", "ControllerRevision", "PodMetrics"})


class NotPulled(Strict):
    """A discovered image that no node asked for, and why that is right."""

    reference: str
    reason: str


class Pulls(Strict):
    """Discovery held against containerd."""

    pulled: int
    undiscovered: list[str]
    """Pulled although nothing discovered it: must be empty."""
    missing: list[str]
    """Named by a pod template and never pulled: must be empty."""
    not_pulled: list[NotPulled]

    @property
    def agree(self) -> bool:
        """Whether nothing was pulled undiscovered and nothing that must start was left unpulled."""
        return not self.undiscovered and not self.missing


def pulls(lock: Lock, models: Iterable[str], pulled: Iterable[str]) -> Pulls:
    """Compare the images of ``lock`` and the digests of ``models`` with the digests that containerd ``pulled``."""
    seen = set(pulled)
    locked = {i.digest: i for i in lock.images}
    absent = [i for d, i in sorted(locked.items(), key=lambda x: x[1].reference) if d not in seen]
    return Pulls(
        pulled=len(seen),
        undiscovered=sorted(seen - set(locked) - set(models)),
        missing=[i.reference for i in absent if _must_start(i)],
        not_pulled=[NotPulled(reference=i.reference, reason=_reason(i)) for i in absent if not _must_start(i)],
    )


def listable(api_resources: str) -> list[str]:
    """The resources of ``kubectl api-resources --output name`` whose objects a stack could leave behind."""
    return [
        r for r in api_resources.split() if r not in TRANSIENT and not r.startswith(("pods.metrics", "nodes.metrics"))
    ]


def objects(listing: str) -> set[str]:
    """``kind namespace name`` lines of kubectl's custom columns as a set, without what comes and goes by itself."""
    lines = (" ".join(line.split()) for line in listing.splitlines() if line.strip())
    return {line for line in lines if line.split()[0] not in TRANSIENT_KINDS}


def _must_start(image: LockedImage) -> bool:
    return any(
        place.partition(": ")[2].startswith(tuple(f"{k}/" for k in STARTS_PODS)) and _is_container(place)
        for place in image.found
    )


def _is_container(place: str) -> bool:
    return place.endswith("].image")


def _reason(image: LockedImage) -> str:
    return f"starts only when used: named in {'; '.join(image.found[:2]) or 'the catalog'}"
