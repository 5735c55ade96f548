"""What the node's containerd really holds: for the comparison with what was discovered before."""

from __future__ import annotations

from mirror.document import Strict

from .cluster import Cluster
from .processes import output


class PulledImage(Strict):
    """An image by a name it was asked for (upstream name, with tag or digest) and the digest that was pulled."""

    reference: str
    digest: str


def pulled_images(cluster: Cluster) -> list[PulledImage]:
    """Every image the kubelet had pulled since the cluster started, image volumes included, sorted by name."""
    ctr = [str(cluster.site.paths.bin / "ctr"), "--namespace", "k8s.io", "images", "ls"]
    return parse(output([*cluster.machine.inside(), *ctr]))


def parse(listing: str) -> list[PulledImage]:
    """Read the table of ``ctr images ls``: REF TYPE DIGEST SIZE ...; bare config digests as names are left out."""
    rows = [line.split() for line in listing.splitlines()[1:] if line.strip()]
    images = [PulledImage(reference=row[0], digest=row[2]) for row in rows if not row[0].startswith("sha256:")]
    return sorted(images, key=lambda image: image.reference)
