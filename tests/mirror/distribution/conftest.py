"""Registries in this process, and a client without patience."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mirror.distribution.endpoint import Client, Endpoint, Patience

from .fake import FakeRegistry, serving


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with serving() as made:
        yield made


@pytest.fixture
def other() -> Iterator[FakeRegistry]:
    with serving() as made:
        yield made


@pytest.fixture
def waits() -> list[float]:
    """How long was waited, in seconds, without waiting."""
    return []


@pytest.fixture
def client(waits: list[float]) -> Client:
    return Client(patience=Patience(timeout=60, sleep=waits.append))


@pytest.fixture
def endpoint(fake: FakeRegistry, client: Client) -> Endpoint:
    return client.endpoint(fake.host, plain=True)
