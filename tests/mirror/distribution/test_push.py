"""Pushing to registries that can much or little, and that break off."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from mirror.distribution import listing, push
from mirror.distribution.endpoint import Endpoint
from mirror.distribution.push import OpenAt, Segment, Uploads
from mirror.errors import RegistryRefused
from mirror.layout import Descriptor

from .fake import FakeRegistry, sha256

CONTENT = random.Random("content").randbytes(3_000_000)
D = Descriptor("x", sha256(CONTENT), len(CONTENT))
SMALL = Descriptor("x", sha256(b"small"), 5)


@pytest.fixture
def content(tmp_path: Path) -> OpenAt:
    """The content in two files, as in parts."""
    (tmp_path / "1").write_bytes(b"before" + CONTENT[:1_000_000])
    (tmp_path / "2").write_bytes(CONTENT[1_000_000:])
    first, second = (tmp_path / "1").open("rb"), (tmp_path / "2").open("rb")

    def open_at(start: int, end: int) -> Sequence[Segment]:
        found = []
        if start < 1_000_000:
            found.append((first, 6 + start, min(end, 1_000_000) - start))
        if end > 1_000_000:
            low = max(start, 1_000_000)
            found.append((second, low - 1_000_000, end - low))
        return found

    return open_at


@pytest.fixture(autouse=True)
def _closed(content: OpenAt) -> object:
    yield
    for file, _, _ in content(0, D.size):
        file.close()


def small(tmp_path: Path) -> Callable[[Uploads, str], None]:
    path = tmp_path / "small"
    path.write_bytes(b"small")

    def send(uploads: Uploads, repository: str) -> None:
        with path.open("rb") as f:
            uploads.send(repository, SMALL, lambda start, end: [(f, start, end - start)], lambda _: None)

    return send


def test_a_blob_is_sent_in_one_go_and_is_there(endpoint: Endpoint, fake: FakeRegistry, content: OpenAt) -> None:
    sent: list[int] = []
    assert not push.exists(endpoint, "a", D)
    Uploads(endpoint).send("a", D, content, sent.append)
    assert push.exists(endpoint, "a", D)
    assert fake.blobs["a"][D.digest] == CONTENT
    assert sum(sent) == D.size
    assert [r.partition(" ")[0] for r in fake.requests] == ["HEAD", "POST", "PUT", "HEAD"]


def test_a_registry_that_takes_a_blob_with_the_first_request_gets_no_second(
    endpoint: Endpoint, fake: FakeRegistry, content: OpenAt, tmp_path: Path
) -> None:
    fake.one_request = True
    uploads = Uploads(endpoint)
    small(tmp_path)(uploads, "a")
    uploads.send("a", D, content, lambda _: None)
    assert [r.partition(" ")[0] for r in fake.requests] == ["POST", "POST"]
    assert fake.blobs["a"].keys() == {D.digest, SMALL.digest}


def test_a_registry_that_is_busy_at_the_first_request_is_waited_for_and_tried_with_it_again(
    endpoint: Endpoint, fake: FakeRegistry, tmp_path: Path, waits: list[float]
) -> None:
    fake.one_request = True
    fake.statuses = [(429, {"Retry-After": "3"})]
    uploads = Uploads(endpoint)
    small(tmp_path)(uploads, "a")
    assert waits == [3]
    assert uploads.one_request
    assert fake.blobs["a"].keys() == {SMALL.digest}


def test_a_registry_that_does_not_is_asked_once_with_a_small_blob(
    endpoint: Endpoint, fake: FakeRegistry, content: OpenAt, tmp_path: Path
) -> None:
    uploads = Uploads(endpoint)
    for repository in ("a", "b"):
        small(tmp_path)(uploads, repository)
    uploads.send("a", D, content, lambda _: None)
    assert [r.partition(" ")[0] for r in fake.requests] == ["POST", "PUT"] * 3
    assert fake.received == D.size + 2 * SMALL.size


def test_a_large_blob_goes_in_chunks_and_on_from_the_last_byte_that_arrived(
    endpoint: Endpoint, fake: FakeRegistry, content: OpenAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(push, "CHUNK", 800_000)
    fake.break_pushes_after = [300_000]
    sent: list[int] = []
    Uploads(endpoint).send("a", D, content, sent.append)
    assert fake.blobs["a"][D.digest] == CONTENT
    assert sum(sent) == D.size
    assert fake.received == D.size, "bytes were sent twice"


def test_another_process_goes_on_with_an_upload(
    endpoint: Endpoint, fake: FakeRegistry, content: OpenAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(push, "CHUNK", 800_000)
    locations: dict[str, str] = {}
    killed = RuntimeError("killed")

    gone: list[int] = []

    def kill(count: int) -> None:
        gone.append(count)
        if sum(gone) > 800_000:  # In the second of the requests.
            raise killed

    with pytest.raises(RuntimeError, match="killed"):
        Uploads(endpoint, locations).send("a", D, content, kill)
    assert list(locations) == [f"a@{D.digest}"]
    Uploads(endpoint, locations).send("a", D, content, lambda _: None)
    assert fake.blobs["a"][D.digest] == CONTENT
    assert fake.received <= D.size + 800_000
    assert locations == {}


def test_an_upload_that_the_registry_has_forgotten_begins_anew(
    endpoint: Endpoint, fake: FakeRegistry, content: OpenAt
) -> None:
    locations = {f"a@{D.digest}": "/v2/a/blobs/uploads/gone?state=s"}
    Uploads(endpoint, locations).send("a", D, content, lambda _: None)
    assert fake.blobs["a"][D.digest] == CONTENT
    assert locations == {}


def test_an_upload_that_holds_more_than_the_blob_begins_anew(
    endpoint: Endpoint, fake: FakeRegistry, content: OpenAt
) -> None:
    fake.uploads["long"] = bytearray(CONTENT + b"sent again")
    locations = {f"a@{D.digest}": "/v2/a/blobs/uploads/long?state=s"}
    Uploads(endpoint, locations).send("a", D, content, lambda _: None)
    assert fake.blobs["a"][D.digest] == CONTENT
    assert locations == {}


def test_an_upload_that_holds_something_else_is_refused_once_and_the_next_run_begins_anew(
    endpoint: Endpoint, fake: FakeRegistry, content: OpenAt
) -> None:
    fake.uploads["wrong"] = bytearray(b"?" * 800_000)
    locations = {f"a@{D.digest}": "/v2/a/blobs/uploads/wrong?state=s"}
    with pytest.raises(RegistryRefused, match="digest invalid"):
        Uploads(endpoint, locations).send("a", D, content, lambda _: None)
    Uploads(endpoint, locations).send("a", D, content, lambda _: None)
    assert fake.blobs["a"][D.digest] == CONTENT
    assert locations == {}


def test_an_upload_that_may_not_be_written_now_is_gone_on_with_when_it_may(
    endpoint: Endpoint, fake: FakeRegistry, content: OpenAt
) -> None:
    fake.uploads["begun"] = bytearray(CONTENT[:800_000])
    locations = {f"a@{D.digest}": "/v2/a/blobs/uploads/begun?state=s"}
    fake.statuses = [(0, {}), (403, {})]
    with pytest.raises(RegistryRefused):
        Uploads(endpoint, locations).send("a", D, content, lambda _: None)
    Uploads(endpoint, locations).send("a", D, content, lambda _: None)
    assert fake.blobs["a"][D.digest] == CONTENT
    assert fake.received == D.size - 800_000


def test_a_mount_moves_no_bytes_and_where_it_is_refused_the_upload_it_began_is_used(
    endpoint: Endpoint, fake: FakeRegistry, content: OpenAt
) -> None:
    uploads = Uploads(endpoint)
    uploads.send("a", D, content, lambda _: None)
    assert uploads.mount("b", D, "a")
    assert fake.received == D.size
    fake.mounts = False
    fake.requests.clear()
    assert not uploads.mount("c", D, "a")
    uploads.send("c", D, content, lambda _: None)
    assert [r.partition(" ")[0] for r in fake.requests] == ["POST", "PUT"]


def test_content_of_another_digest_is_refused_by_the_registry(endpoint: Endpoint, content: OpenAt) -> None:
    wrong = Descriptor("x", sha256(b"other"), D.size)
    with pytest.raises(RegistryRefused, match="digest invalid"):
        Uploads(endpoint).send("a", wrong, content, lambda _: None)


def test_an_upload_on_another_host_is_refused(endpoint: Endpoint) -> None:
    with pytest.raises(RegistryRefused, match=r"wants uploads sent to elsewhere\.test"):
        Uploads(endpoint).path("https://elsewhere.test/v2/a/blobs/uploads/1", "a")


def test_lists_are_read_to_their_last_page(endpoint: Endpoint, fake: FakeRegistry) -> None:
    fake.manifests = {f"r{n}": {"1": b"", "2": b"", "3": b""} for n in range(5)}
    assert listing.repositories(endpoint) == [f"r{n}" for n in range(5)]
    assert listing.tags(endpoint, "r1") == ["1", "2", "3"]
    assert listing.tags(endpoint, "absent") == []


def test_a_manifest_is_deleted_with_its_tags_or_it_is_said_what_forbids_it(
    endpoint: Endpoint, fake: FakeRegistry
) -> None:
    push.manifest(endpoint, "a", "1", b"{}", "x")
    assert listing.delete_manifest(endpoint, "a", sha256(b"{}"))
    assert not listing.delete_manifest(endpoint, "a", sha256(b"{}"))
    assert fake.manifests["a"] == {}
    fake.deletes = False
    with pytest.raises(RegistryRefused, match="does not allow deletion"):
        listing.delete_manifest(endpoint, "a", sha256(b"{}"))
