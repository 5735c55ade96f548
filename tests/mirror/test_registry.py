"""Reading from an upstream registry."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mirror.errors import NotUpstream
from mirror.layout import digest
from mirror.reference import Reference
from mirror.registry import Upstream, pull_chart

if TYPE_CHECKING:
    from conftest import World


pytestmark = pytest.mark.slow  # real registries on loopback


def test_a_chart_is_fetched_as_the_archive_that_was_published(world: World, tmp_path: Path) -> None:
    chart = Reference.parse("quay.io/org/charts/demo:v1.2.3")
    path = pull_chart(Upstream(world.source_map), chart, tmp_path / "charts")
    assert path == tmp_path / "charts/demo-v1.2.3.tgz"
    assert path.read_bytes() == world.publisher.layer("chart-demo", 300)
    assert list(path.parent.iterdir()) == [path]


def test_an_image_is_no_chart(world: World, tmp_path: Path) -> None:
    with pytest.raises(NotUpstream, match="no Helm chart"):
        pull_chart(Upstream(world.source_map), Reference.parse("docker.io/org/single:1"), tmp_path)


def test_a_manifest_is_read_by_tag_and_by_digest_as_the_same_bytes(world: World) -> None:
    source = Upstream(world.source_map)
    image = world.lock.images[0]
    by_tag = source.raw_manifest(Reference.parse(image.reference))
    assert digest(by_tag) == image.upstream_digest
    assert source.raw_manifest(Reference.parse(image.reference).with_digest(image.upstream_digest)) == by_tag
    with pytest.raises(NotUpstream, match="manifest unknown"):
        source.raw_manifest(Reference.parse("docker.io/org/docker:absent"))
