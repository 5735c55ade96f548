"""What the registry no longer needs: named by receipts that are not kept, and by none that is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import BadInput, InUse, NotUpstream, WrongCluster
from .layout import INDEXES, RECEIPT, RECEIPTS, links, media_type
from .parallel import parallel
from .progress import Report
from .receipt import Receipt
from .reference import Reference
from .registry import Internal

WORKERS = 4


@dataclass(frozen=True)
class Pruning:
    """What goes."""

    remove: Sequence[Reference]
    """Manifests by digest, sorted."""
    kept: Sequence[Reference]
    """Manifests by digest that stay."""
    receipts: Sequence[Path]
    """Receipts that are removed when all of these are gone."""

    def refuse_used(self, running: dict[str, str]) -> None:
        """Raise InUse when one of ``running`` (digest -> pod) goes."""
        used = sorted({f"{r} by pod {running[str(r.digest)]}" for r in self.remove if str(r.digest) in running})
        if used:
            raise InUse(
                f"{len(used)} images that would go are in use",
                "; ".join(used[:10]),
                "Upgrade or remove what runs them, or keep more receipts (--keep).",
            )


def plan(site: Path, keep: int) -> Pruning:
    """What goes when the last ``keep`` receipts of ``site`` stay; raises BadInput.

    The present receipt is the last; those of earlier bundles lie below receipts/, numbered.
    """
    if not (site / RECEIPT).is_file():
        raise BadInput(str(site), "it has no receipt.json", "Give the site directory that `sealift load` wrote.")
    earlier = sorted((site / RECEIPTS).glob("*.json"), reverse=True)
    kept = [site / RECEIPT, *earlier[: keep - 1]]
    gone = earlier[keep - 1 :]
    needed = _named(Receipt.read(p) for p in kept)
    return Pruning(sorted(_named(Receipt.read(p) for p in gone) - needed), sorted(needed), gone)


def carry_out(planned: Pruning, internal: Internal, report: Report) -> None:
    """Delete the manifests with those below them, and then the receipts.

    The registry frees the space at its next garbage collection, which keeps whatever a manifest that is there names:
    so an index's own manifests go too, unless an index that stays has them. Raises RegistryRefused.
    """
    touched = {r.repository for r in planned.remove}
    kept = [r for r in planned.kept if r.repository in touched]
    spared = {b for below in parallel(lambda r: _below(internal, r), kept, WORKERS) for b in below} | set(kept)

    def delete(reference: Reference) -> None:
        below = [b for b in _below(internal, reference) if b not in spared]
        for each in (reference, *below):
            there = internal.delete_manifest(each)
            report.say(f"{'removed' if there else 'was not there:'} {each}")

    parallel(delete, planned.remove, WORKERS)
    for path in planned.receipts:
        path.unlink()


def running_digests(kubeconfigs: Iterable[Path]) -> dict[str, str]:
    """Digest of each image that a pod runs or is to run, its volumes included -> the pod; raises WrongCluster."""
    found: dict[str, str] = {}
    for path in kubeconfigs:
        found |= _pods(path)
    return found


def _below(internal: Internal, reference: Reference) -> list[Reference]:
    """The manifests that the index at ``reference`` names; none for a manifest, or for what is not there."""
    try:
        content = internal.raw_manifest(reference)
    except NotUpstream:
        return []
    if media_type(content, str(reference)) not in INDEXES:
        return []
    return [Reference(reference.registry, reference.repository, None, d.digest) for d in links(content, str(reference))]


def _named(receipts: Iterable[Receipt]) -> set[Reference]:
    return {Reference.parse(n).pinned() for r in receipts for n in r.mirrored_names}


def _pods(kubeconfig: Path) -> dict[str, str]:
    from kubernetes import client, config
    from urllib3.exceptions import HTTPError

    try:
        api = config.new_client_from_config(str(kubeconfig))  # type: ignore[no-untyped-call]
    except (config.ConfigException, OSError) as e:
        raise BadInput(str(kubeconfig), str(e), "Give a kubeconfig.") from e
    with api:
        api.configuration.retries = False
        try:
            pods = client.CoreV1Api(api).list_pod_for_all_namespaces().items
        except (client.ApiException, HTTPError) as e:
            why = getattr(e, "reason", None) or e
            raise WrongCluster(str(kubeconfig), f"it does not tell its pods: {why}", "Give one that may list.") from e
        found: dict[str, str] = {}
        for pod in pods:
            described = api.sanitize_for_serialization(pod)
            name = f"{described['metadata']['namespace']}/{described['metadata']['name']}"
            found |= dict.fromkeys(_digests(described), name)
    return found


def _digests(pod: object) -> set[str]:
    """Every digest that stands anywhere in a pod as ``...@sha256:<64 hex>``: images, image volumes, what it runs."""
    if isinstance(pod, dict):
        return set().union(*(_digests(v) for v in pod.values()), set())
    if isinstance(pod, list):
        return set().union(*(_digests(v) for v in pod), set())
    text = pod if isinstance(pod, str) else ""
    _, at, digest = text.rpartition("@")
    return {digest} if at and digest.startswith("sha256:") and len(digest) == 71 else set()
