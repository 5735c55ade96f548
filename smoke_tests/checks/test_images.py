"""What runs is exactly what crossed the gap."""

from __future__ import annotations

from smoke_tests.environment import Environment
from smoke_tests.evidence import Fact, Group
from smoke_tests.inventory import RunningImage, misnamed, not_carried

GROUP = Group.IMAGES


def lines(found: list[str]) -> str:
    return "; ".join(found[:10]) + (f"; and {len(found) - 10} more" if len(found) > 10 else "")


def test_digests(environment: Environment, images: list[RunningImage], facts: dict[str, Fact]) -> None:
    """Every container of the platform runs an image whose digest the receipt holds."""
    containers = [i for i in images if i.kind == "container"]
    facts["containers"] = len(containers)
    facts["digests"] = len({i.digest for i in containers})
    facts["namespaces"] = sorted({i.namespace for i in containers})
    assert containers, "no container runs in the platform's namespaces"
    wrong = not_carried(containers, environment.receipt)
    assert not wrong, lines(wrong)


def test_names(environment: Environment, images: list[RunningImage], facts: dict[str, Fact]) -> None:
    """Every image is named by the internal registry and by digest, exactly as the receipt says."""
    facts["registry"] = environment.receipt.registry
    facts["names"] = len({i.image for i in images})
    assert images, "no image is named in the platform's namespaces"
    wrong = misnamed(images, environment.receipt)
    assert not wrong, lines(wrong)


def test_weights(environment: Environment, images: list[RunningImage], facts: dict[str, Fact]) -> None:
    """The weights that are mounted are models of the receipt, by digest."""
    models = {m.mirrored: m for m in environment.receipt.models}
    volumes = [i for i in images if i.kind == "volume"]
    facts["weights"] = sorted({f"{i.upstream or i.image} {i.digest}" for i in volumes})
    assert volumes, "no running pod mounts weights"
    wrong = [f"{i.namespace}/{i.pod} mounts {i.image}" for i in volumes if i.image not in models]
    assert not wrong, lines(wrong)
