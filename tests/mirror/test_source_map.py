from pathlib import Path

import pytest

from mirror.errors import BadInput
from mirror.reference import Reference
from mirror.source_map import SourceMap
from mirror.transports import Place

TEXT = """
docker.io: http://127.0.0.1:5100/docker.io
quay.io: https://proxy.example:8443
github.com: http://127.0.0.1:8100/github.com/
huggingface.co: http://127.0.0.1:8100/huggingface.co
"""


@pytest.fixture
def source_map() -> SourceMap:
    return SourceMap.parse(TEXT, "map.yaml")


def test_an_image_of_a_mapped_host_is_read_below_the_prefix_and_plainly(source_map: SourceMap) -> None:
    digest = "sha256:" + "0" * 64
    found, plain = source_map.image(Reference.parse(f"busybox:1@{digest}"))
    assert (str(found), plain) == (f"127.0.0.1:5100/docker.io/library/busybox:1@{digest}", True)


def test_a_map_without_a_prefix_replaces_the_host_alone(source_map: SourceMap) -> None:
    found, plain = source_map.image(Reference.parse("quay.io/jetstack/cert-manager-webhook:v1"))
    assert (str(found), plain) == ("proxy.example:8443/jetstack/cert-manager-webhook:v1", False)


def test_an_unmapped_host_is_used_as_it_is(source_map: SourceMap) -> None:
    reference = Reference.parse("ghcr.io/a/b:1")
    assert source_map.image(reference) == (reference, False)
    assert source_map.url("https://example.org/x?y=1") == "https://example.org/x?y=1"
    assert SourceMap.none().hub("huggingface.co") == "https://huggingface.co"


def test_urls_and_hubs_keep_their_path(source_map: SourceMap) -> None:
    assert source_map.url("https://github.com/a/b.yaml?raw=1") == "http://127.0.0.1:8100/github.com/a/b.yaml?raw=1"
    assert source_map.hub("huggingface.co") == "http://127.0.0.1:8100/huggingface.co"


def test_no_file_means_that_nothing_is_replaced(tmp_path: Path) -> None:
    assert SourceMap.read_optional(None).hosts == {}
    (tmp_path / "map.yaml").write_text(TEXT)
    assert SourceMap.read_optional(tmp_path / "map.yaml").hosts["quay.io"] == "https://proxy.example:8443"


@pytest.mark.parametrize(
    "text",
    [
        "docker.io: 127.0.0.1:5100",
        "docker.io: ftp://x",
        "docker.io: [a]",
        "a/b: http://x",
        "docker.io: http://me:secret@host",
        "- docker.io",
    ],
)
def test_what_is_no_endpoint_is_refused_by_name(text: str) -> None:
    with pytest.raises(BadInput) as e:
        SourceMap.parse(text, "map.yaml")
    assert e.value.given == "map.yaml"


def test_a_relative_url_is_refused(source_map: SourceMap) -> None:
    with pytest.raises(BadInput, match=r"http\[s\]"):
        source_map.url("github.com/a")


OWN = """
quay.io: https://proxy.example:8443
app:1.4: docker-archive:saved/app.tar
corp.example/team/two:2: docker-archive:/abs/all.tar:two:2
corp.example/team/three:3: oci-archive:three.tar@1
corp.example/team/four:4: containers-storage:localhost/four:4
"""


def test_an_image_that_is_in_no_registry_is_found_by_its_reference_whatever_its_digest(tmp_path: Path) -> None:
    (tmp_path / "map.yaml").write_text(OWN)
    found = SourceMap.read(tmp_path / "map.yaml")
    assert found.hosts == {"quay.io": "https://proxy.example:8443"}
    app = Reference.parse("docker.io/library/app:1.4")
    assert found.place(app) == found.place(app.with_digest("sha256:" + "0" * 64))
    assert found.place(Reference.parse("app:1.5")) is None


def test_paths_are_relative_to_the_file_and_names_of_stores_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "map.yaml").write_text(OWN)
    places = SourceMap.read(tmp_path / "map.yaml").places
    assert [str(p) for p in places.values()] == [
        f"docker-archive:{tmp_path}/saved/app.tar",
        "docker-archive:/abs/all.tar:two:2",
        f"oci-archive:{tmp_path}/three.tar@1",
        "containers-storage:localhost/four:4",
    ]


def test_the_map_of_images_can_stand_below_a_key_of_its_own(tmp_path: Path) -> None:
    found = SourceMap.parse("hosts: {quay.io: https://x.test}\nimages: {a/b:1: oci:layout}", "map.yaml")
    assert found.places == {"docker.io/a/b:1": Place("oci", Path("layout"), "")}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("app:1: docker-archive", "no such place|is not http|host"),
        ("app:1: 'docker-archive:'", "names no image"),
        ("app:1: docker-daemon://host/x", "names no image"),
        ("'app@sha256:" + "0" * 64 + "': docker-archive:app.tar", "without a digest"),
        ("images: {app:1: app.tar}", "no place such as"),
        ("a/B:1: docker-archive:app.tar", "no repository path"),
    ],
)
def test_what_names_no_place_or_no_image_is_refused(text: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        SourceMap.parse(text, "map.yaml")
