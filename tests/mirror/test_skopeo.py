"""How skopeo is started, and what its messages mean."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from mirror import skopeo
from mirror.errors import BadInput, NoSpace, NotUpstream, SealiftError, ToolMissing
from mirror.skopeo import Finished


def fatal(message: str) -> str:
    return f'time="2026-01-01T00:00:00Z" level=warning msg="retrying"\ntime="x" level=fatal msg="{message}"\n'


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ('Tag "app:1" not found', NotUpstream),
        ("Unexpected tar manifest.json: expected 1 item, got 2", BadInput),
        ("more than one image in oci, choose an image", BadInput),
        ("Cannot connect to the Docker daemon at unix:///var/run/docker.sock", ToolMissing),
        ("writing blob: write /x: no space left on device", NoSpace),
    ],
)
def test_a_message_of_skopeos_becomes_the_error_that_it_means(message: str, kind: type[SealiftError]) -> None:
    error = skopeo.refusal("docker.io/org/app", fatal(message))
    assert type(error) is kind
    assert error.given == "docker.io/org/app"
    assert error.why == message
    assert error.instead


def test_a_message_that_is_not_known_is_passed_on_as_skopeos() -> None:
    error = skopeo.refusal("docker-archive:app.tar", fatal("something new"))
    assert (type(error), error.why) == (ToolMissing, "skopeo: something new")


def test_the_native_program_is_preferred_and_a_container_is_the_second_way(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"skopeo", "docker"}
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}" if name in there else None)
    assert skopeo.find() is skopeo.native
    there.remove("skopeo")
    assert skopeo.find() is skopeo.container
    there.clear()
    with pytest.raises(ToolMissing):
        skopeo.find()


def test_the_container_gets_the_paths_at_their_own_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import python_on_whales

    calls = []

    class Docker:
        def run(self, image: str, command: list[str], **options: object) -> str:
            calls.append((image, command, options))
            return "output"

    monkeypatch.setattr(python_on_whales, "docker", Docker())
    assert skopeo.container(["inspect", "x"], [tmp_path]) == Finished(0, b"output", "")
    assert calls[0][:2] == (skopeo.CONTAINER, ["inspect", "x"])
    assert calls[0][2]["volumes"] == [(str(tmp_path), str(tmp_path))]
    assert calls[0][2]["networks"] == ["host"]


def test_an_engine_that_fails_raises_and_one_that_succeeds_answers() -> None:
    def engine(arguments: Sequence[str], paths: Sequence[Path]) -> Finished:
        return Finished(0, b"yes", "") if arguments == ["good"] else Finished(1, b"", fatal("Tag not found"))

    assert skopeo.run(engine, ["good"], [], "x") == b"yes"
    with pytest.raises(NotUpstream):
        skopeo.run(engine, ["bad"], [], "x")
