"""Passwords, tokens and passphrases are in no output, no file that is written and no process list."""

from __future__ import annotations

import base64
import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Authority, Registry, World

TOKEN, PASSPHRASE, PASSWORD = "hf_3vGQxjTzW1k", "open-sesame-8842", "operator:secret"
SECRETS = (TOKEN, PASSPHRASE, PASSWORD, base64.b64encode(PASSWORD.encode()).decode())


class Watch:
    """Collects the arguments of every process of this machine while commands run."""

    def __init__(self) -> None:
        self.seen: set[bytes] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(0.002):
            for process in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.seen.add(process.read_bytes())
                except OSError:
                    continue


@pytest.fixture
def authfile(guarded: Registry, tmp_path: Path) -> Path:
    encoded = base64.b64encode(PASSWORD.encode()).decode()
    path = tmp_path / "secrets" / "auth.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"auths": {guarded.host: {"auth": encoded}}}))
    return path


def test_no_secret_leaves_the_place_where_it_was_given(
    world: World, guarded: Registry, site_ca: Authority, authfile: Path, tmp_path: Path
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    wrapped = tmp_path / "wrapped"
    wrapped.mkdir()
    real = subprocess.run(["which", "skopeo"], check=True, capture_output=True, text=True).stdout.strip()
    (wrapped / "skopeo").write_text(f'#!/bin/sh\nprintf "%s " "$0" "$@" >> {tmp_path}/arguments\nexec {real} "$@"\n')
    (wrapped / "skopeo").chmod(stat.S_IRWXU)
    (work / "map.yaml").write_text("".join(f"{h}: {e}\n" for h, e in world.source_map.hosts.items()))
    environment = {
        **os.environ,
        "PATH": f"{wrapped}:{os.environ['PATH']}",
        "HF_TOKEN": TOKEN,
        "SEALIFT_KEY_PASSPHRASE": PASSPHRASE,
    }
    said = []

    def sealift(*arguments: object, code: int = 0) -> None:
        command = [Path(sys.executable).with_name("sealift"), *arguments]
        done = subprocess.run([str(c) for c in command], cwd=work, env=environment, check=False, capture_output=True)
        said.append(done.stdout + done.stderr)
        assert done.returncode == code, said[-1].decode()

    load = ("load", "bundle", "--registry", guarded.host, "--ca-file", site_ca.ca, "--trust", "trust")
    with Watch() as watch:
        sealift("key", "create", "k.pem")
        sealift("key", "root", "--root-key", "k.pem", "--release-key", "k.pem.pub")
        sealift("bundle", "create", "--lock", world.lock_file, "--source-map", "map.yaml", "--sign", "k.pem")
        sealift("trust", "init", "roots/1.root.json")
        sealift(*load, code=8)
        sealift(*load, "--authfile", authfile)
        sealift("bundle", "verify", "bundle", "--trust", "trust", "--json")
    written = [p for p in work.rglob("*") if p.is_file()]
    assert len(written) > 20
    arguments = (tmp_path / "arguments").read_bytes() if (tmp_path / "arguments").exists() else b""
    for secret in SECRETS:
        wanted = secret.encode()
        assert not [p for p in written if wanted in p.read_bytes()]
        assert not any(wanted in s for s in said)
        assert wanted not in arguments
        assert not any(wanted in s for s in watch.seen)
    assert any(b"bundle\0create" in s for s in watch.seen), "the watch saw nothing, so it proves nothing"
