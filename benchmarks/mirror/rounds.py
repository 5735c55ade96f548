"""One turn of one program through all steps, and the turns of all of them, one after another."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path
from typing import Literal, get_args

import psutil

from mirror.document import Strict

from . import limit as plain
from .content import Content, publish
from .measure import Failed, Measured, Where, measure
from .registry import absent, serving
from .tools.tool import Command, Place, Tool

Step = Literal["create", "load", "load again", "inventory", "create changed", "load changed"]
STEPS: tuple[Step, ...] = get_args(Step)
LIMIT, COPY = "limit", "cp"
"""What a plain program needs to read, hash and write, and what ``cp`` needs for the same files."""
SOURCE, TARGET = 5000, 5001
"""Ports: the network namespace is the run's own."""


class Sample(Strict):
    """What one step of one program cost in one repetition, or why it did not succeed."""

    repetition: int
    tool: str
    step: Step
    measured: Measured | None
    failed: str = ""


@dataclass(frozen=True)
class Bench:
    """A run's place on the disk, its content, its programs and its registry."""

    work: Path
    upstream: Path
    """The storage of the source registry."""
    content: Content
    programs: Path
    source_registry: str
    target_registry: str
    """The programs that serve."""
    say: Callable[[str], None]
    forget: Callable[[], None]
    """Makes the machine forget what programs remember outside of their directory."""

    def all(self, tools: Sequence[Tool], repeat: int) -> Iterator[Sample]:
        """Every program ``repeat`` times, in turn, each time another one first, the limit before each of them."""
        with serving(self.source_registry, self.upstream, SOURCE):
            for repetition in range(repeat):
                first = repetition % len(tools)
                for tool in [*tools[first:], *tools[:first]]:
                    yield from self._reference(repetition)
                    yield from self._turn(tool, repetition)

    def _reference(self, repetition: int) -> Iterator[Sample]:
        """The limit, and ``cp`` of what it wrote."""
        with self._fresh() as directory:
            lines = [f"127.0.0.1:{SOURCE} /v2/{r}/blobs/{d} {d}\n" for r, d, _ in self.content.blobs]
            (directory / "list").write_text("".join(lines))
            read = [sys.executable, str(plain.__file__), str(directory / "list"), str(directory / "read")]
            copy = ["cp", "-r", str(directory / "read"), str(directory / "copied")]
            for name, command in ((LIMIT, read), (COPY, copy)):
                yield self._sample(repetition, name, "create", [command], Where(directory))

    def _turn(self, tool: Tool, repetition: int) -> Iterator[Sample]:
        with self._fresh() as directory, self._target() as registry:
            place = Place(directory, f"127.0.0.1:{SOURCE}", f"127.0.0.1:{TARGET}", self.content, self.programs)
            outside, inside = Where(directory), Where(directory, registry)
            publish(self.upstream, self.content, change=False)
            self.forget()
            for step in STEPS:
                change = step in ("inventory", "create changed", "load changed")
                if step == "inventory":
                    publish(self.upstream, self.content, change=True)
                commands = _commands(tool, place, step, change=change)
                if not commands:
                    continue
                where = inside if step.startswith("load") else outside
                sample = self._sample(repetition, tool.name, step, commands, where)
                if sample.measured and step.startswith("load"):
                    lost = absent(place.target, self.content.after(change=change), tool.prefix)
                    if lost:
                        why = f"{len(lost)} images did not arrive, such as {lost[0]}"
                        sample = sample.model_copy(update={"measured": None, "failed": why})
                self._tell(sample)
                yield sample
                if not sample.measured:
                    return

    def _sample(self, repetition: int, tool: str, step: Step, commands: Sequence[Command], where: Where) -> Sample:
        os.sync()  # What others have still to write is not written in this one's time.
        try:
            found = reduce(add, [measure(c, where) for c in commands])
        except Failed as e:
            return Sample(repetition=repetition, tool=tool, step=step, measured=None, failed=str(e))
        return Sample(repetition=repetition, tool=tool, step=step, measured=found)

    def _tell(self, sample: Sample) -> None:
        took = f"{sample.measured.wall:.2f} s" if sample.measured else f"FAILED: {sample.failed}"
        self.say(f"{sample.repetition + 1}: {sample.tool}: {sample.step}: {took}")

    @contextmanager
    def _fresh(self) -> Iterator[Path]:
        directory = self.work / "turn"
        directory.mkdir()
        try:
            yield directory
        finally:
            _remove(directory)

    @contextmanager
    def _target(self) -> Iterator[psutil.Process]:
        root = self.work / "target"
        try:
            with serving(self.target_registry, root, TARGET) as process:
                yield process
        finally:
            _remove(root)


def _commands(tool: Tool, place: Place, step: Step, *, change: bool) -> list[Command]:
    if step == "inventory":
        return tool.inventory(place)
    return (tool.create if step.startswith("create") else tool.load)(place, change=change)


def _remove(directory: Path) -> None:
    """Also what programs leave without permission to be removed."""
    shutil.rmtree(directory, ignore_errors=True)
    if directory.exists():
        subprocess.run(["chmod", "-R", "u+rwX", str(directory)], check=True)
        shutil.rmtree(directory)
