from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.hardening import cores
from mirror.errors import ToolMissing


def pod(**containers: str) -> dict[str, Any]:
    statuses = [{"name": n.replace("_", "-"), "containerID": f"containerd://{i}"} for n, i in containers.items()]
    return {"metadata": {"name": "chat"}, "status": {"containerStatuses": statuses}}


@pytest.fixture
def process() -> Iterator[int]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as started:
        yield started.pid
        started.kill()


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[int, str]:
    """What stands for the control group of each process."""
    known: dict[int, str] = {}
    monkeypatch.setattr(cores, "_control_groups", lambda p: known.get(int(p.name), ""))
    return known


def test_processes_are_found_by_their_containers(process: int, groups: dict[int, str]) -> None:
    groups |= {process: "0::/kubepods/burstable/pod1/aaa", os.getpid(): "0::/kubepods/burstable/pod1/bbb"}
    assert cores.processes([pod(kserve_container="aaa", istio_proxy="bbb")]) == [
        ("kserve-container", process),
        ("istio-proxy", os.getpid()),
    ]


def test_a_pod_of_another_machine_is_refused(groups: dict[int, str]) -> None:
    with pytest.raises(ToolMissing, match="none of its processes is on this machine"):
        cores.processes([pod(kserve_container="aaa")])


def test_a_model_server_gets_the_first_core_and_all_is_as_before_afterwards(
    process: int, groups: dict[int, str]
) -> None:
    groups[process] = "0::/kubepods/burstable/pod1/aaa"
    before = os.sched_getaffinity(0)
    with cores.apart([pod(kserve_container="aaa")]):
        assert os.sched_getaffinity(process) == {min(before)}
        assert os.sched_getaffinity(0) == before - {min(before)}
    assert os.sched_getaffinity(process) == os.sched_getaffinity(0) == before


def test_what_a_server_bound_itself_is_bound_so_again(process: int, groups: dict[int, str]) -> None:
    groups[process] = "0::/kubepods/burstable/pod1/aaa"
    bound = {max(os.sched_getaffinity(0))}
    os.sched_setaffinity(process, bound)
    with cores.apart([pod(kserve_container="aaa")]):
        assert os.sched_getaffinity(process) != bound
    assert os.sched_getaffinity(process) == bound
