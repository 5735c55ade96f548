"""Pulling from registries that fail, lie and redirect."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from mirror.distribution import pull
from mirror.distribution.credentials import Credentials
from mirror.distribution.endpoint import Client, Endpoint, Patience
from mirror.errors import Damaged, NotUpstream, RegistryRefused
from mirror.growing import FileMedium, Growing, InMemory
from mirror.layout import Descriptor

from .fake import FakeRegistry, Handler, sha256

CONTENT = random.Random("content").randbytes(3_000_000)


@pytest.fixture
def d(fake: FakeRegistry) -> Descriptor:
    return Descriptor("x", fake.put_blob("org/app", CONTENT), len(CONTENT))


def fetched(endpoint: Endpoint, d: Descriptor) -> bytes:
    target = InMemory()
    pull.blob(endpoint, "org/app", d, target, "app")
    return bytes(target.content)


def test_a_blob_comes_whole(endpoint: Endpoint, d: Descriptor) -> None:
    assert fetched(endpoint, d) == CONTENT


def test_connections_are_used_again(endpoint: Endpoint, d: Descriptor, fake: FakeRegistry) -> None:
    ports = set()
    take = endpoint._connections.take

    def noted() -> object:
        connection, reused = take()
        ports.add(connection.sock.getsockname()[1])
        return connection, reused

    endpoint._connections.take = noted  # type: ignore[method-assign,assignment]
    for _ in range(5):
        fetched(endpoint, d)
    assert len(ports) == 1


def test_an_answer_that_breaks_off_is_continued_where_it_broke(
    endpoint: Endpoint, d: Descriptor, fake: FakeRegistry
) -> None:
    fake.break_pulls_after = [1_000_000, 500_000, 0]
    assert fetched(endpoint, d) == CONTENT
    assert [h.get("Range") for h in fake.seen] == [None, "bytes=1000000-", "bytes=1500000-", "bytes=1500000-"]


def test_a_registry_that_breaks_off_for_ever_is_given_up(endpoint: Endpoint, d: Descriptor, fake: FakeRegistry) -> None:
    fake.break_pulls_after = [1000] + [0] * 20
    with pytest.raises(RegistryRefused, match=r"ended early|broke off|reset"):
        fetched(endpoint, d)
    assert fake.count("GET") == 1 + 5


@pytest.mark.parametrize("lie", ["shifted", "whole", "unsatisfied"])
def test_a_registry_that_lies_about_ranges_is_found_out_and_read_from_the_start(
    endpoint: Endpoint, d: Descriptor, fake: FakeRegistry, lie: str
) -> None:
    fake.break_pulls_after, fake.lie = [1_234_567], lie
    assert fetched(endpoint, d) == CONTENT


def test_another_content_is_refused_after_a_second_look(endpoint: Endpoint, d: Descriptor, fake: FakeRegistry) -> None:
    fake.corrupt = 1
    assert fetched(endpoint, d) == CONTENT
    fake.corrupt = 9
    with pytest.raises(Damaged, match="the registry's content is"):
        fetched(endpoint, d)


def test_another_size_is_refused(endpoint: Endpoint, d: Descriptor) -> None:
    with pytest.raises(Damaged, match="3,000,000 bytes, 10 were promised"):
        fetched(endpoint, Descriptor("x", d.digest, 10))


def test_what_an_earlier_run_left_is_not_fetched_again(
    endpoint: Endpoint, d: Descriptor, fake: FakeRegistry, tmp_path: Path
) -> None:
    (tmp_path / "blob").write_bytes(CONTENT[:2_000_000])
    medium = FileMedium(tmp_path / "blob")
    moved: list[int] = []
    target = Growing(medium, d.size, medium.length, moved.append)
    pull.blob(endpoint, "org/app", d, target, "app")
    target.close()
    assert (tmp_path / "blob").read_bytes() == CONTENT
    assert sum(moved) == 1_000_000
    assert fake.seen[0]["Range"] == "bytes=2000000-"


def test_wrong_bytes_of_an_earlier_run_are_replaced(endpoint: Endpoint, d: Descriptor, tmp_path: Path) -> None:
    (tmp_path / "blob").write_bytes(bytes(2_000_000))
    medium = FileMedium(tmp_path / "blob")
    target = Growing(medium, d.size, medium.length, lambda _: None)
    pull.blob(endpoint, "org/app", d, target, "app")
    target.close()
    assert (tmp_path / "blob").read_bytes() == CONTENT


def test_a_registry_that_is_busy_is_waited_for_as_long_as_it_says(
    endpoint: Endpoint, d: Descriptor, fake: FakeRegistry, waits: list[float]
) -> None:
    fake.statuses = [(429, {"Retry-After": "7"}), (503, {}), (500, {"Retry-After": "99999"})]
    assert fetched(endpoint, d) == CONTENT
    assert waits[0] == 7
    assert 0.5 < waits[1] < 1.5
    assert waits[2] == 60


def test_a_registry_that_stays_broken_is_given_up(endpoint: Endpoint, d: Descriptor, fake: FakeRegistry) -> None:
    fake.statuses = [(502, {})] * 9
    with pytest.raises(RegistryRefused, match="not now"):
        fetched(endpoint, d)
    assert fake.count("GET") == 5


def test_a_registry_that_was_never_reached_is_refused_at_once(client: Client, waits: list[float]) -> None:
    with pytest.raises(RegistryRefused, match="connection refused"):
        pull.manifest(client.endpoint("127.0.0.1:9", plain=True), "a", "b", "a:b")
    assert waits == []


def test_a_redirect_is_followed_without_the_secret(
    fake: FakeRegistry, other: FakeRegistry, endpoint: Endpoint, d: Descriptor
) -> None:
    other.put_blob("org/app", CONTENT)
    fake.token, fake.redirect_to = "secret-token", f"http://{other.host}"
    assert fetched(endpoint, d) == CONTENT
    assert "Authorization" in fake.seen[-1]
    assert "Authorization" not in other.seen[-1]


def test_a_token_is_asked_for_once_and_used_for_all(endpoint: Endpoint, d: Descriptor, fake: FakeRegistry) -> None:
    fake.token = "secret-token"
    for _ in range(3):
        assert fetched(endpoint, d) == CONTENT
    assert fake.count("GET /token") == 1
    assert "scope=repository%3Aorg%2Fapp%3Apull" in next(r for r in fake.requests if "token" in r)
    fake.token = "another-token"  # The first has expired.
    assert fetched(endpoint, d) == CONTENT
    assert fake.count("GET /token") == 2


def test_a_password_is_sent_when_it_is_asked_for_and_a_wrong_one_is_refused(
    fake: FakeRegistry, d: Descriptor, waits: list[float]
) -> None:
    fake.basic = "Basic dXNlcjpwYXNz"
    right = Credentials({"auths": {fake.host: {"auth": "dXNlcjpwYXNz"}}})
    wrong = Credentials({"auths": {fake.host: {"username": "user", "password": "other"}}})
    patience = Patience(sleep=waits.append)
    assert fetched(Client(right, patience=patience).endpoint(fake.host, plain=True), d) == CONTENT
    assert "Authorization" not in fake.seen[0]
    for refused in (wrong, Credentials()):
        with pytest.raises(RegistryRefused, match="unauthorized") as e:
            fetched(Client(refused, patience=patience).endpoint(fake.host, plain=True), d)
        assert "--authfile" in e.value.instead
        assert "other" not in str(e.value)


def test_a_manifest_is_checked_by_its_digest(endpoint: Endpoint, fake: FakeRegistry) -> None:
    digest = sha256(b"manifest")
    fake.manifests["a"] = {"1": b"manifest", digest: b"manifest", sha256(b"x"): b"y"}
    assert pull.manifest(endpoint, "a", "1", "a:1") == pull.manifest(endpoint, "a", digest, "a") == b"manifest"
    with pytest.raises(Damaged):
        pull.manifest(endpoint, "a", sha256(b"x"), "a")
    with pytest.raises(NotUpstream, match="manifest unknown"):
        pull.manifest(endpoint, "a", "2", "a:2")


def test_a_manifest_whose_answer_breaks_off_is_asked_for_again(
    endpoint: Endpoint, fake: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.manifests["a"] = {"1": b"manifest"}
    answer, cuts = Handler.answer, [3]

    def broken(self: Handler, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        answer(self, status, body, headers, cuts.pop() if cuts else None)

    monkeypatch.setattr(Handler, "answer", broken)
    assert pull.manifest(endpoint, "a", "1", "a:1") == b"manifest"
    assert fake.count("GET") == 2
