"""The two servers, as real processes over a real store."""

import json
import socket
from pathlib import Path

import httpx
import pytest
from huggingface_hub import HfApi

from testbed.upstream import chat_model, images
from testbed.upstream.images import File, Image, Images
from testbed.upstream.layers import Layers
from testbed.upstream.origins import Sums, Workshop
from testbed.upstream.upstream import Upstream

ACCEPT = {"Accept": "application/vnd.oci.image.index.v1+json"}


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@pytest.fixture
def upstream(tmp_path: Path) -> Upstream:
    cache = tmp_path / "cache"
    pause = Image(
        name="registry.k8s.io/pause:3.10",
        contents="stand-in",
        note="of a test",
        licence="Apache-2.0",
        layers=[],
        files=[File(to="/pause", program="pause")],
        entrypoint=["/pause"],
    )
    upstream = Upstream(cache, tmp_path, declared=Images(images=[pause]))
    layers = Layers(upstream.store, cache / "layers")
    images.build(pause, Workshop(layers, tmp_path, cache, Sums.read(cache / "sums.json")), layers)
    (cache / "web").mkdir()
    upstream._models()
    return upstream


def test_an_image_that_was_never_pushed_is_pulled_through_the_registrys_interface(
    upstream: Upstream, tmp_path: Path
) -> None:
    with upstream.start(tmp_path / "state", registry_port=free_port(), web_port=free_port()) as running:
        base = running.source_map.hosts["registry.k8s.io"].replace("/registry.k8s.io", "/v2/registry.k8s.io")
        answer = httpx.get(f"{base}/pause/manifests/3.10", headers=ACCEPT)
        assert answer.status_code == 200
        digest = answer.headers["docker-content-digest"]
        assert digest == upstream.store.resolve("registry.k8s.io/pause", "3.10")
        child = json.loads(answer.content)["manifests"][0]
        manifest = httpx.get(f"{base}/pause/manifests/{child['digest']}", headers={"Accept": child["mediaType"]}).json()
        layer = manifest["layers"][0]
        assert len(httpx.get(f"{base}/pause/blobs/{layer['digest']}").content) == layer["size"]


def test_nobody_can_write_to_upstream(upstream: Upstream, tmp_path: Path) -> None:
    with upstream.start(tmp_path / "state", registry_port=free_port(), web_port=free_port()) as running:
        base = running.source_map.hosts["docker.io"].replace("/docker.io", "/v2/docker.io")
        assert httpx.post(f"{base}/org/app/blobs/uploads/").status_code == 405


def test_the_hub_answers_at_its_place_in_the_source_map(upstream: Upstream, tmp_path: Path) -> None:
    with upstream.start(tmp_path / "state", registry_port=free_port(), web_port=free_port()) as running:
        hub = HfApi(endpoint=running.source_map.hub("huggingface.co"), token=False)
        assert hub.model_info(chat_model.REPOSITORY, revision=chat_model.COMMIT).sha == chat_model.COMMIT


def test_stopping_ends_both_servers_and_may_be_repeated(upstream: Upstream, tmp_path: Path) -> None:
    running = upstream.start(tmp_path / "state", registry_port=free_port(), web_port=free_port())
    processes = list(running.processes)
    assert len(processes) == 2
    assert all(p.alive for p in processes)
    running.stop()
    running.stop()
    assert not any(p.alive for p in processes)
