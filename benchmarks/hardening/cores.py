"""One core for the model server, the others for the proxies and for those who ask: a node that has a core to spare.

vLLM's engine waits for its worker in a loop: a model server keeps two cores busy with the work of one. Where there are
no others, proxies wait for their turn, and it is this waiting that is measured rather than what they cost.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mirror.errors import ToolMissing
from smoke_tests.cluster import Document
from smoke_tests.predictors import MODEL_SERVER

PROC = Path("/proc")


@contextmanager
def apart(pods: Iterable[Document]) -> Iterator[None]:
    """While this lasts the model servers of ``pods`` share the first core; their other containers have all but that.

    So has this process, and what it starts. Raises ToolMissing on one core, and where the pods run on another machine.
    """
    every = os.sched_getaffinity(0)
    first = {min(every)}
    if len(every) == 1:
        raise ToolMissing("a second core", "this machine has one", "Measure without --apart, or elsewhere.")
    moved = {p: first if name == MODEL_SERVER else every - first for name, p in processes(pods)}
    before = {t: os.sched_getaffinity(t) for p in moved for t in threads(p)}  # vLLM binds its workers' threads itself.
    try:
        for process, cores in moved.items():
            for thread in threads(process):
                keep_to(thread, cores)
        os.sched_setaffinity(0, every - first)
        yield
    finally:
        os.sched_setaffinity(0, every)
        for thread in [t for p in moved for t in threads(p)]:
            keep_to(thread, before.get(thread, every))


def processes(pods: Iterable[Document]) -> list[tuple[str, int]]:
    """Container and number of each process of ``pods``; raises ToolMissing for a container of which none is found."""
    groups = {int(p.name): _control_groups(p) for p in PROC.iterdir() if p.name.isdigit()}
    found: list[tuple[str, int]] = []
    for pod in pods:
        for status in pod["status"]["containerStatuses"]:
            identity = status["containerID"].rpartition("/")[2]
            own = [(status["name"], number) for number, text in groups.items() if identity in text]
            if not own:
                what = f"container {status['name']} of pod {pod['metadata']['name']}"
                raise ToolMissing(what, "none of its processes is on this machine", "Run on its node, as root.")
            found += own
    return found


def threads(process: int) -> list[int]:
    """Numbers of the threads of ``process``; none when it has ended."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return [int(t.name) for t in (PROC / str(process) / "task").iterdir()]
    return []


def keep_to(thread: int, cores: set[int]) -> None:
    """Let ``thread``, and those that it starts, run on ``cores`` alone; one that has ended needs none."""
    with suppress(ProcessLookupError):
        os.sched_setaffinity(thread, cores)


def _control_groups(process: Path) -> str:
    with suppress(OSError):
        return (process / "cgroup").read_text()
    return ""
