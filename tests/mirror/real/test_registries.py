"""The whole life of a registry inside, on real ones: loaded, loaded again, looked into, pruned.

With a password, with tokens, with a private authority, below a path, read-only, and behind what slows and limits.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mirror import load as loading
from mirror import prune
from mirror.bundle import Bundle
from mirror.bundle_create import create
from mirror.distribution.credentials import Credentials
from mirror.distribution.endpoint import Client, Patience
from mirror.errors import RegistryRefused
from mirror.inventory_take import take
from mirror.layout import INDEXES, MANIFESTS, UPLOADS
from mirror.progress import Moving, Silent
from mirror.receipt import Receipt
from mirror.registry import Internal, internal
from testbed.toolchain.cache import cache_directory

from ...faults.proxy import Answered, Handler, before
from ..conftest import HTPASSWD, Registry
from ..distribution import fake
from ..token_server import serving as tokens
from ..upside import Upside, blob

if TYPE_CHECKING:
    from ..conftest import Authority

PROGRAMS = {"distribution 2.8": "docker-registry", "distribution 3": "distribution", "go-containerregistry": "crane"}
LINE = ["distribution 2.8", "distribution 3"]
"""Those that can more than plain HTTP."""
WAYS = ["plain", "password, private authority, path", "tokens, private authority, path"]
BEGINS_ANEW = ["distribution 2.8", "go-containerregistry"]
"""Those that do not say where an upload is of which more has arrived than they last said."""
every = pytest.mark.parametrize("registry", PROGRAMS, indirect=True)
of_the_line = pytest.mark.parametrize("registry", LINE, indirect=True)
ALL = frozenset({"pull", "push", "delete"})
PEOPLE = {"operator:secret": ALL, "reader:secret": frozenset({"pull"})}
DELETION = {"storage": {"delete": {"enabled": True}}}
READ_ONLY = {"storage": {"maintenance": {"readonly": {"enabled": True}}}}


@dataclass(frozen=True)
class Two:
    """A bundle, and the next one."""

    first: Bundle
    second: Bundle


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Two:
    directory = tmp_path_factory.mktemp("two")
    with fake.serving() as upstream:
        up = Upside(upstream, directory)
        base = blob("base", 200_000)
        up.images = {f"up.test/org/{n}:1": [base, blob(n, 50_000)] for n in "abcd"}
        up.model = {"a.safetensors": blob("weights", 400_000), "config.json": b"{}"}
        first = create(up.order("first", up.lock("first.lock")), Silent())
        up.images = {k: v for k, v in up.images.items() if "org/b" not in k} | {"up.test/org/b:2": [base, b"b2"]}
        return Two(first, create(up.order("second", up.lock("second.lock")), Silent()))


@dataclass
class Said(Silent):
    """What was reported."""

    lines: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.lines.append(text)


@dataclass
class Inside:
    """A registry, and how it is reached."""

    registry: Registry
    name: str
    """``host:port[/prefix]``."""
    open: Callable[[], Any]
    """Gives the internal registry as a context."""
    site: Path

    def load(self, bundle: Bundle, said: Said | None = None) -> Receipt:
        with self.open() as inside:
            return loading.load(bundle, self.name, inside, self.site, said or Said())


def program(name: str) -> str:
    """A program that the toolchain has built, or one on PATH."""
    found = shutil.which(name, path=os.pathsep.join([str(cache_directory() / "bin"), os.environ["PATH"]]))
    assert found, f"{name} is not built: run `sealift tools` first"
    return found


class CranesRegistry(Registry):
    """go-containerregistry's own, which crane serves."""

    def arguments(self) -> list[str]:
        return ["registry", "serve", "--address", self.host]


@pytest.fixture
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Registry]:
    """Not started."""
    name = PROGRAMS[request.param]
    kind = CranesRegistry if name == "crane" else Registry
    made = kind(tmp_path / "registry", program=program(name), settings=DELETION)
    yield made
    made.stop()


def authfile(directory: Path, host: str, login: str) -> Path:
    path = directory / f"{login.partition(':')[0]}.json"
    path.write_text(json.dumps({"auths": {host: {"auth": base64.b64encode(login.encode()).decode()}}}))
    return path


@pytest.fixture
def inside(request: pytest.FixtureRequest, registry: Registry, site_ca: Authority, tmp_path: Path) -> Iterator[Inside]:
    site = tmp_path / "site"
    if request.param == "plain":
        registry.start()
        yield Inside(registry, registry.host, lambda: internal(None, None, plain=True), site)
        return
    registry.tls = (site_ca.certificate, site_ca.key)
    login = authfile(tmp_path, registry.host, "operator:secret")
    name = f"{registry.host}/team/mirror"
    reached = Inside(registry, name, lambda: internal(site_ca.ca, login), site)
    if request.param.startswith("password"):
        registry.htpasswd = tmp_path / "htpasswd"
        registry.htpasswd.write_text(HTPASSWD)
        registry.start()
        yield reached
        return
    with tokens(site_ca.certificate, site_ca.key, PEOPLE) as server:
        registry.settings = {**DELETION, **server.settings(site_ca.ca)}
        registry.start()
        yield reached


def blobs_of(bundle: Bundle) -> dict[str, int]:
    """Size by digest."""
    walked = (d for e in bundle.contents.entries for d in bundle.layout.walk(bundle.descriptor(e)))
    return {d.digest: d.size for d in walked if d.media_type not in INDEXES | MANIFESTS}


@pytest.mark.parametrize(
    ("registry", "inside"),
    [*itertools.product(LINE, WAYS), ("go-containerregistry", "plain")],
    indirect=True,
)
def test_a_registry_is_loaded_loaded_again_looked_into_and_pruned(inside: Inside, two: Two) -> None:
    first = inside.load(two.first)
    assert first.missing == []
    again = Said()
    assert inside.load(two.first, again) == first
    entries = len(two.first.contents.entries)
    assert again.lines == [f"{entries} of {entries} are there already"]
    with inside.open() as registry:
        by_receipt, by_catalog = (take(inside.name, registry, r, Said()) for r in ([first], []))
        assert by_receipt.blobs == by_catalog.blobs
        assert by_receipt.sizes == blobs_of(two.first)
        second = inside.load(two.second)
        assert second.missing == []
        planned = prune.plan(inside.site, 1)
        assert [r.repository.rpartition("/")[2] for r in planned.remove] == ["b"]
        prune.carry_out(planned, registry, Said())
        assert not registry.holds(planned.remove[0])
    there = Said()
    assert inside.load(two.second, there).missing == []
    assert there.lines[0] == f"{entries} of {entries} are there already"


@of_the_line
def test_a_registry_that_is_read_only_is_good_for_what_it_has_and_says_what_it_will_not_take(
    registry: Registry, two: Two, tmp_path: Path
) -> None:
    registry.start()
    reached = Inside(registry, registry.host, lambda: internal(None, None, plain=True), tmp_path / "site")
    first = reached.load(two.first)
    registry.stop()
    registry.settings = {"storage": {**DELETION["storage"], **READ_ONLY["storage"]}}
    registry.start()
    assert reached.load(two.first) == first
    received = reached.load(two.second)
    assert {m.reference for m in received.missing} == {"up.test/org/b:2"}
    refused = loading.refused(received)
    assert refused
    assert "read-only" in refused.why
    with reached.open() as opened, pytest.raises(RegistryRefused, match="does not allow deletion"):
        prune.carry_out(prune.plan(tmp_path / "site", 1), opened, Said())


@of_the_line
def test_who_may_only_read_is_told_so_and_who_is_not_known_is_told_to_log_in(
    registry: Registry, two: Two, site_ca: Authority, tmp_path: Path
) -> None:
    registry.tls = (site_ca.certificate, site_ca.key)
    with tokens(site_ca.certificate, site_ca.key, PEOPLE) as server:
        registry.settings = server.settings(site_ca.ca)
        registry.start()
        reader, stranger = (authfile(tmp_path, registry.host, n) for n in ("reader:secret", "stranger:secret"))
        reached = Inside(registry, registry.host, lambda: internal(site_ca.ca, reader), tmp_path / "site")
        received = reached.load(two.first)
        assert len(received.missing) == len(two.first.contents.entries)
        assert all("denied" in m.why or "unauthorized" in m.why for m in received.missing), received.missing[0]
        reached.open = lambda: internal(site_ca.ca, stranger)
        with pytest.raises(RegistryRefused) as e:
            reached.load(two.first)
        assert "--authfile" in e.value.instead
        reached.open = lambda: internal(None, reader)
        with pytest.raises(RegistryRefused) as e:
            reached.load(two.first)
        assert "--ca-file" in e.value.instead


@dataclass
class Limits:
    """What stands before a registry and lets ``most`` requests through in a second, each after ``delay`` seconds."""

    most: int = 25
    delay: float = 0.01
    let_through: deque[float] = field(default_factory=deque)
    refused: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def takes(self) -> bool:
        time.sleep(self.delay)
        with self.lock:
            now = time.monotonic()
            while self.let_through and now - self.let_through[0] > 1:
                self.let_through.popleft()
            if len(self.let_through) >= self.most:
                self.refused += 1
                return False
            self.let_through.append(now)
            return True


@contextmanager
def limited(host: str, limits: Limits) -> Iterator[str]:
    """The host of a proxy before ``host``; what is too much is answered by 429 and Retry-After."""

    class Limiting(Handler):
        def do_any(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            if not limits.takes():
                return self.answer(Answered(429, {"Retry-After": "1"}, b'{"errors":[{"message":"too many requests"}]}'))
            return self.passed_on("", self.ask(dict(self.headers.items()), body))

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_any

    with before(host, handler=Limiting) as proxy:
        yield proxy.host


@every
def test_a_registry_that_is_slow_and_limits_the_rate_is_waited_for_as_long_as_it_says(
    registry: Registry, two: Two, tmp_path: Path
) -> None:
    registry.start()
    limits, waits = Limits(), list[float]()

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        time.sleep(seconds)

    client = Client(Credentials(), patience=Patience(attempts=20, sleep=sleep))
    with limited(registry.host, limits) as host:
        inside = Internal(client, plain=True)
        received = loading.load(two.first, host, inside, tmp_path / "site", Said())
    assert received.missing == []
    assert limits.refused > 0
    assert waits == [1.0] * limits.refused


class Killed(Exception):
    """In place of a kill."""


@dataclass
class Killing(Silent):
    """Ends the work when so many bytes have gone."""

    after: int
    gone: int = 0

    def item(self, name: str, size: int) -> Moving:
        return self

    def advance(self, count: int) -> None:
        self.gone += count
        if self.gone > self.after:
            raise Killed


@every
def test_an_upload_that_broke_off_is_gone_on_with_inside_the_blob(
    registry: Registry, two: Two, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """By another process, from where the registry says that it is; the bytes are counted before the registry.

    Where a registry does not say it, this blob begins anew.
    """
    chunk, arrived = 100_000, list[int]()
    monkeypatch.setattr("mirror.distribution.push.CHUNK", chunk)
    monkeypatch.setattr("mirror.sending.SENDERS", 1)

    class Counting(Handler):
        def ask(self, headers: dict[str, str], body: bytes) -> Answered:
            arrived.append(len(body) if "/blobs/uploads/" in self.path else 0)
            return super().ask(headers, body)

    registry.start()
    site = tmp_path / "site"
    with before(registry.host, handler=Counting) as proxy:
        with pytest.raises(Killed), internal(None, None, plain=True) as opened:
            loading.load(two.first, proxy.host, opened, site, Killing(after=250_000))
        assert (site / UPLOADS).is_file()
        broken = sum(arrived) + chunk  # One may still be on its way.
        with internal(None, None, plain=True) as opened:
            assert loading.load(two.first, proxy.host, opened, site, Silent()).missing == []
    assert not (site / UPLOADS).exists()
    blobs = blobs_of(two.first)
    twice = sum(arrived) - sum(blobs.values())
    assert 0 <= twice <= (broken if request.node.callspec.params["registry"] in BEGINS_ANEW else chunk)
