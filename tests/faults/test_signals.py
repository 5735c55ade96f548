"""Ctrl-C and SIGTERM in each part of create and load: one line, the documented code, no traceback, and it goes on."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mirror.bundle_verify import verify
from mirror.progress import Silent

from .test_kills import Site, site

__all__ = ["site"]

pytestmark = pytest.mark.slow

CODE = "import sys, sealift; sys.exit(sealift.main())"
SLOW = """
import sys, time
import {module} as found
real = found.{name}
def slow(*arguments, **named):
    open({mark!r}, "w").close()
    for _ in range(600):
        time.sleep(0.1)  # Not all at once: a signal that arrives just before a sleep does not wake it.
    return real(*arguments, **named)
found.{name} = slow
"""
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}
SIGNALS = [signal.SIGINT, signal.SIGTERM]


def sealift(site: Site, *arguments: object, before: str = "") -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", f"{before}\n{CODE}", *map(str, arguments)]
    return subprocess.Popen(
        command, cwd=site.directory, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)


def interrupted(process: subprocess.Popen[str], number: signal.Signals) -> str:
    """Send the signal; the last line of what is said, once code, time and form of it are right."""
    sent = time.monotonic()
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == CODES[number], err
    assert "Traceback" not in err
    assert "Exception" not in err
    assert time.monotonic() - sent < 30
    assert out == ""
    last = err.splitlines()[-1]
    assert re.match(r"interrupted: (Ctrl-C|SIGTERM), .*; run the same command again, it goes on from there$", last), err
    assert [line for line in err.splitlines() if line.startswith("interrupted")] == [last]
    return last


def create(site: Site, *more: object) -> list[object]:
    return ["bundle", "create", *site.given, "--output", "bundle", *more]


def load(site: Site) -> list[object]:
    target = ["--registry", f"{site.inside.host}/site", "--allow-plain-http"]
    return ["load", "bundle", *target, "--accept-unsigned-bundle"]


def done(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("parts", [[], ["--part-size", 1 << 20]], ids=["in files", "in parts"])
def test_a_create_that_is_interrupted_while_it_fetches_goes_on(
    site: Site, number: signal.Signals, parts: list[object]
) -> None:
    site.upstream.pause = 0.05
    process = sealift(site, *create(site, *parts))
    wait_for(lambda: site.upstream.count("GET /v2/org/app6/blobs") > 0, process)
    time.sleep(0.2)
    assert "what arrived stays in bundle.partial" in interrupted(process, number)
    assert (site.directory / "bundle.partial").is_dir()
    site.upstream.pause = 0
    site.upstream.seen.clear()
    done(sealift(site, *create(site, *parts)))
    verify(site.directory / "bundle", Silent())


@pytest.mark.parametrize("number", SIGNALS)
def test_a_create_that_is_interrupted_while_it_signs_is_whole_and_is_signed_by_the_next(
    site: Site, number: signal.Signals
) -> None:
    for name in ("root", "release"):
        done(sealift(site, "key", "create", f"{name}.pem", "--without-passphrase"))
    done(sealift(site, "key", "root", "--root-key", "root.pem", "--release-key", "release.pem"))
    mark = site.directory / "signing"
    slow = SLOW.format(module="mirror.signing.release", name="_written", mark=str(mark))
    process = sealift(site, *create(site, "--sign", "release.pem"), before=slow)
    wait_for(mark.exists, process)
    assert "bundle is whole, and not signed" in interrupted(process, number)
    done(sealift(site, *create(site, "--sign", "release.pem")))
    done(sealift(site, "bundle", "verify", "bundle", "--root", "roots/1.root.json"))


@pytest.mark.parametrize("number", SIGNALS)
def test_a_load_that_is_interrupted_while_it_sends_goes_on(site: Site, number: signal.Signals) -> None:
    done(sealift(site, *create(site)))
    site.inside.pause = 0.05
    process = sealift(site, *load(site))
    wait_for(lambda: site.inside.received > 500_000, process)
    assert f"what arrived stays in {site.inside.host}/site, and no receipt says so yet" in interrupted(process, number)
    assert not (site.directory / "site/receipt.json").exists()
    site.inside.pause = 0
    done(sealift(site, *load(site)))
    assert json.loads((site.directory / "site/receipt.json").read_text())["missing"] == []


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize(
    ("module", "name"),
    [("mirror.load", "present"), ("mirror.load", "receipt"), ("mirror.unchanged", "standing")],
    ids=["asking", "writing the receipt", "looking whether anything changed"],
)
def test_a_load_that_is_interrupted_in_any_other_part_goes_on(
    site: Site, number: signal.Signals, module: str, name: str
) -> None:
    done(sealift(site, *create(site)))
    mark = site.directory / "there"
    process = sealift(site, *load(site), before=SLOW.format(module=module, name=name, mark=str(mark)))
    wait_for(mark.exists, process)
    interrupted(process, number)
    done(sealift(site, *load(site)))
    assert json.loads((site.directory / "site/receipt.json").read_text())["missing"] == []


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("name", ["Updater.refresh", "_files"])
def test_a_load_that_is_interrupted_while_signatures_are_verified_says_so(
    site: Site, number: signal.Signals, name: str
) -> None:
    for key in ("root", "release"):
        done(sealift(site, "key", "create", f"{key}.pem", "--without-passphrase"))
    done(sealift(site, "key", "root", "--root-key", "root.pem", "--release-key", "release.pem"))
    done(sealift(site, *create(site, "--sign", "release.pem")))
    done(sealift(site, "trust", "init", "roots/1.root.json"))
    mark = site.directory / "there"
    command = load(site)[:-1]
    process = sealift(site, *command, before=SLOW.format(module="mirror.signing.verify", name=name, mark=str(mark)))
    wait_for(mark.exists, process)
    interrupted(process, number)
    assert not list((site.directory / "trust").glob(".verify-*"))
    done(sealift(site, *command))


@pytest.mark.parametrize("number", SIGNALS)
def test_a_verification_that_is_interrupted_ends_at_once(site: Site, number: signal.Signals) -> None:
    done(sealift(site, *create(site)))
    mark = site.directory / "there"
    slow = SLOW.format(module="mirror.bundle_bytes", name="read_segments", mark=str(mark))
    process = sealift(site, "bundle", "verify", "bundle", before=slow)
    wait_for(mark.exists, process)
    interrupted(process, number)


def test_a_registry_that_does_not_answer_does_not_hold_up_an_interrupt(site: Site) -> None:
    site.upstream.pause = 50
    process = sealift(site, *create(site))
    wait_for(lambda: site.upstream.count("GET /v2/org/app6/blobs") > 0, process)
    time.sleep(0.3)
    started = time.monotonic()
    interrupted(process, signal.SIGINT)
    assert time.monotonic() - started < 15


def test_a_second_signal_ends_the_process_at_once(site: Site) -> None:
    site.upstream.pause = 50
    process = sealift(site, *create(site))
    wait_for(lambda: site.upstream.count("GET /v2/org/app6/blobs") > 0, process)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in err


def test_with_json_an_interrupt_is_an_object(site: Site) -> None:
    site.upstream.pause = 0.05
    process = sealift(site, *create(site, "--json"))
    wait_for(lambda: site.upstream.count("GET /v2/org/app6/blobs") > 0, process)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 143
    assert json.loads(out)["error"] == "Terminated"
