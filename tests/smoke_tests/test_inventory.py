from __future__ import annotations

from typing import Any

import pytest

from mirror.receipt import Receipt
from smoke_tests.inventory import inventory, misnamed, not_carried

PROXY = f"registry.test:5000/docker.io/istio/proxyv2@sha256:{'2' * 64}"
WEIGHTS = f"registry.test:5000/hub.test/models/tiny@sha256:{'3' * 64}"


@pytest.fixture
def pod() -> dict[str, Any]:
    return {
        "metadata": {"namespace": "models", "name": "chat-1"},
        "spec": {
            "containers": [{"name": "server", "image": PROXY}],
            "initContainers": [{"name": "istio-proxy", "image": PROXY}],
            "volumes": [{"name": "tmp", "emptyDir": {}}, {"name": "model", "image": {"reference": WEIGHTS}}],
        },
        "status": {
            "containerStatuses": [{"name": "server", "imageID": PROXY}],
            "initContainerStatuses": [{"name": "istio-proxy", "imageID": PROXY}],
        },
    }


def test_containers_init_containers_and_image_volumes_are_all_seen(pod: dict[str, Any], receipt: Receipt) -> None:
    found = inventory([pod], receipt)
    assert [(i.kind, i.name, i.upstream) for i in found] == [
        ("container", "istio-proxy", "docker.io/istio/proxyv2:1.31.0"),
        ("container", "server", "docker.io/istio/proxyv2:1.31.0"),
        ("volume", "model", "hub.test/models/tiny@1"),
    ]
    assert not_carried(found, receipt) == []
    assert misnamed(found, receipt) == []


def test_a_digest_that_did_not_cross_the_gap_is_found(pod: dict[str, Any], receipt: Receipt) -> None:
    other = PROXY.replace("2" * 64, "9" * 64)
    pod["status"]["initContainerStatuses"][0]["imageID"] = other
    assert not_carried(inventory([pod], receipt), receipt) == [
        f"models/chat-1 container istio-proxy runs sha256:{'9' * 64}"
    ]


def test_a_container_that_does_not_run_yet_has_no_digest(pod: dict[str, Any], receipt: Receipt) -> None:
    pod["status"] = {}
    assert "models/chat-1 container server runs nothing yet" in not_carried(inventory([pod], receipt), receipt)


@pytest.mark.parametrize(
    "image",
    [
        "registry.test:5000/docker.io/istio/proxyv2:1.31.0",
        f"docker.io/istio/proxyv2@sha256:{'2' * 64}",
        f"registry.test:5000/docker.io/istio/pilot@sha256:{'2' * 64}",
    ],
    ids=["by tag", "upstream's registry", "another name for the digest"],
)
def test_only_the_receipts_own_names_are_accepted(image: str, pod: dict[str, Any], receipt: Receipt) -> None:
    pod["spec"]["containers"][0]["image"] = image
    assert misnamed(inventory([pod], receipt), receipt) == [f"models/chat-1 container server names {image}"]
