"""Loading the same bundle again: quick, and not at the price of a check."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec import structs

from mirror import unchanged
from mirror.bundle import Bundle
from mirror.bundle_create import create
from mirror.evidence.policy import SignatureRule
from mirror.layout import LOADED
from mirror.load import load
from mirror.lock import Lock
from mirror.progress import Silent
from mirror.receipt import (
    Missing,
    Receipt,
    ReceivedFile,
    ReceivedImage,
    ReceivedModel,
    ReceivedPart,
    ReceivedRuntime,
)
from mirror.registry import Internal
from mirror.signing import release

from .distribution.fake import FakeRegistry, serving
from .signing.conftest import NOW, People, ed25519
from .test_transport import Upside, blob, client

IMAGES = 60
HEAVY = {
    "cyclonedx", "httpx", "huggingface_hub", "jinja2", "kubernetes", "license_expression", "mirror.lock", "pkcs11",
    "pulumi", "pydantic", "rich", "sigstore", "urllib3", "yaml",
}  # fmt: skip
"""What a load of nothing new has no use for, and takes a tenth of a second or more."""
RUN = """
import json, sys
import sealift
code = sealift.main()
print(json.dumps([code, sorted(sys.modules)]))
"""


@dataclass
class Site:
    """A site that a signed bundle of 60 images was loaded into."""

    directory: Path
    up: Upside
    inside: FakeRegistry

    @property
    def registry(self) -> str:
        return f"{self.inside.host}/site"

    @property
    def command(self) -> list[str]:
        return ["load", "bundle", "--registry", self.registry, "--allow-plain-http"]

    def sealift(self, *arguments: str) -> tuple[int, set[str], str]:
        """Exit code, modules that were imported, and what was printed."""
        command = [sys.executable, "-c", RUN, *arguments]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        done = subprocess.run(command, cwd=self.directory, capture_output=True, text=True, check=False, env=environment)
        code, modules = json.loads(done.stdout.splitlines()[-1])
        return code, set(modules), done.stdout + done.stderr

    def load(self) -> Receipt:
        internal = Internal(client(), plain=True)
        return load(Bundle.open(self.directory / "bundle"), self.registry, internal, self.directory / "site", Silent())

    def stands(self) -> bool:
        """Whether a load would change nothing."""
        found = unchanged.standing(self.directory / "bundle", self.registry, self.directory / "site")
        asked = unchanged.asked(self.directory / "bundle", self.registry, Internal(client(), plain=True))
        return found is not None and asked is not None and asked.result() >= found.targets


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("again")
    with serving() as upstream, serving() as inside:
        up = Upside(upstream, directory)
        bases = [blob(f"base{n}", 3000) for n in range(6)]
        up.images = {f"up.test/org/a{n}:1": [bases[n % 6], blob(f"layer{n}", 100)] for n in range(IMAGES)}
        up.model = {"config.json": b"{}"}
        create(up.order("bundle"), Silent())
        people = People(directory, [ed25519()], [ed25519()])
        people.establish()
        people.sign(directory / "bundle", 1)
        people.trust()
        site = Site(directory, up, inside)
        site.load()
        yield site


@pytest.fixture
def site(made: Site) -> Iterator[Site]:
    """The site as it was loaded, and afterwards again."""
    manifests = {repository: dict(held) for repository, held in made.inside.manifests.items()}
    shutil.copytree(made.directory / "site", made.directory / "kept")
    yield made
    made.inside.manifests = manifests
    shutil.rmtree(made.directory / "site")
    (made.directory / "kept").rename(made.directory / "site")


def test_a_load_of_nothing_new_imports_nothing_that_it_does_not_need(site: Site) -> None:
    site.inside.requests.clear()
    before = (site.directory / "site/receipt.json").read_bytes()
    code, modules, said = site.sealift(*site.command)
    assert code == 0, said
    assert "61 of 61 are there already" in said
    assert "60 images, 1 models, 0 parts in" in said
    assert not HEAVY & modules
    assert (site.directory / "site/receipt.json").read_bytes() == before
    asked = {r for r in site.inside.requests if r.startswith("GET /v2/site/") and "/manifests/sha256:" in r}
    assert len(asked) == 61, "the registry is asked for each, each time"


def test_a_load_in_full_reads_the_lock_without_pydantic(site: Site) -> None:
    site.inside.manifests["site/up.test/org/a7"].clear()
    code, modules, said = site.sealift(*site.command)
    assert code == 0, said
    assert "60 of 61 are there already" in said
    assert not (HEAVY - {"mirror.lock", "yaml"}) & modules


def test_a_command_of_a_group_reads_its_options_without_pydantic(site: Site) -> None:
    code, modules, said = site.sealift("bundle", "create", "--output", "bundle", "--json")
    assert code == 0, said
    assert "pydantic" not in modules


@pytest.mark.parametrize("arguments", [["load", "--help"], ["key", "--help"], ["prune", "--help"]])
def test_help_is_shown_without_what_the_command_would_use(site: Site, arguments: list[str]) -> None:
    _, modules, said = site.sealift(*arguments)
    assert "Usage: sealift" in said
    assert not (HEAVY - {"rich", "pydantic"}) & modules
    assert "rich.progress" not in modules


def test_the_signature_is_verified_each_time(site: Site) -> None:
    lock = site.directory / "bundle/sealift.lock"
    before = lock.read_bytes()
    try:
        lock.write_bytes(before + b"\n")
        code, _, said = site.sealift(*site.command)
    finally:
        lock.write_bytes(before)
    assert code == 13, said
    assert "it is not the file that was signed" in said


def test_a_signature_that_has_expired_is_refused_though_nothing_changed(site: Site) -> None:
    signed = site.directory / "bundle/metadata"
    signed.rename(site.directory / "signed")
    try:
        people = People(site.directory / "late", [ed25519()], [ed25519()])
        first = people.establish()
        release.sign(site.directory / "bundle", people.roots, people.releasers, NOW - timedelta(days=1), 1, NOW)
        code, _, said = site.sealift(*site.command, "--root", str(first))
    finally:
        shutil.rmtree(signed)
        (site.directory / "signed").rename(signed)
    assert code == 13, said
    assert "expired" in said


def test_what_the_registry_lost_is_sent_again(site: Site) -> None:
    assert site.stands()
    site.inside.manifests["site/up.test/org/a7"].clear()
    assert not site.stands()
    assert site.load().missing == []
    assert site.stands()


@pytest.mark.parametrize("changed", ["receipt.json", LOADED])
def test_a_site_whose_files_were_changed_is_written_anew(site: Site, changed: str) -> None:
    path = site.directory / "site" / changed
    before = path.read_text()
    path.write_text(before.replace("up.test", "else.test") if changed == "receipt.json" else "[]")
    assert not site.stands()
    site.load()
    assert path.read_text() == before
    assert site.stands()


def test_another_registry_another_bundle_and_another_format_are_loaded_in_full(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = site.directory / "site"
    assert unchanged.standing(site.directory / "bundle", f"{site.registry}/else", where) is None
    assert unchanged.standing(site.directory / "bundle", site.registry, site.directory) is None
    other = site.directory / "other"
    shutil.copytree(site.directory / "bundle", other)
    (other / "index.json").write_text("{}")
    assert unchanged.standing(other, site.registry, where) is None
    shutil.rmtree(other)
    monkeypatch.setattr(unchanged, "FORMAT", 2)
    assert unchanged.standing(site.directory / "bundle", site.registry, where) is None


def test_what_is_for_operators_machines_is_not_asked_for(tmp_path: Path) -> None:
    entry = {"reference": "up.test/org/a:1", "kind": "image", "digest": f"sha256:{'a' * 64}"}
    kit = {"reference": "sealift.dev/bootstrap:linux-amd64", "kind": "bootstrap", "digest": f"sha256:{'b' * 64}"}
    (tmp_path / "bundle.json").write_text(json.dumps({"entries": [entry, kit]}))
    registry: Any = SimpleNamespace(held=set)
    asked = unchanged.asked(tmp_path, "site.test:5000", registry)
    assert asked is not None
    assert [str(r) for r in asked.result()] == [f"site.test:5000/up.test/org/a@{entry['digest']}"]


@pytest.mark.parametrize("text", ["{", "{}", '{"entries": [{"reference": "up.test/a:1"}]}'])
def test_a_bundle_that_does_not_say_what_it_holds_is_not_asked_for(text: str, tmp_path: Path) -> None:
    nobody: Any = SimpleNamespace()
    (tmp_path / "bundle.json").write_text(text)
    assert unchanged.asked(tmp_path, "site.test:5000", nobody) is None


def test_a_registry_that_cannot_be_asked_is_said_when_the_answer_is_wanted(site: Site) -> None:
    code, _, said = site.sealift("load", "bundle", "--registry", "127.0.0.1:1", "--allow-plain-http")
    assert code == 8, said
    assert "127.0.0.1:1" in said


def test_a_bundle_with_rules_for_signatures_is_judged_in_full_each_time(made: Site, tmp_path: Path) -> None:
    rule = SignatureRule(images="**", unsigned="made for a test only")
    lock = structs.replace(Lock.read(made.directory / "sealift.lock"), signature_rules=[rule])
    lock.write(tmp_path / "sealift.lock")
    create(replace(made.up.order("ruled", tmp_path / "sealift.lock"), output=tmp_path / "ruled"), Silent())
    registry = f"{made.inside.host}/site"
    load(Bundle.open(tmp_path / "ruled"), registry, Internal(client(), plain=True), tmp_path / "site", Silent())
    assert not (tmp_path / "site" / LOADED).exists()
    assert unchanged.standing(tmp_path / "ruled", registry, tmp_path / "site") is None


def test_a_receipt_with_other_fields_has_another_format() -> None:
    """Who gives the receipt a field raises unchanged.FORMAT: else a site that loads again keeps the receipt it has."""
    models = (Receipt, ReceivedImage, ReceivedModel, ReceivedFile, ReceivedPart, ReceivedRuntime, Missing)
    fields = {m.__name__: " ".join(m.__struct_fields__) for m in models}
    assert (unchanged.FORMAT, fields) == (
        1,
        {
            "Receipt": "version registry bundle kubernetes images models parts runtimes exclusions missing",
            "ReceivedImage": "reference digest upstream_digest mirrored size signature",
            "ReceivedModel": "name origin revision licence digest mirrored size",
            "ReceivedFile": "path sha256",
            "ReceivedPart": "name kind namespace release values files images",
            "ReceivedRuntime": "name engine accelerator image",
            "Missing": "reference why",
        },
    )
