"""What a catalog says of an operator's machine: tools from the web, and the wheels of the project."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from ..document import Name, Sentence, Strict

PythonVersion = Annotated[str, StringConstraints(pattern=r"^3\.\d{1,2}$")]
PluginName = Annotated[str, StringConstraints(pattern=r"^(resource|language|analyzer|tool)-[a-z0-9-]+$")]
Program = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Version = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$")]


class Tool(Strict):
    """A program, an archive (tar) that holds programs, or an archive that is a plugin of Pulumi."""

    name: Name
    version: Version
    files: dict[str, str] = Field(min_length=1)
    """Platform (``os/architecture``) -> URL."""
    programs: list[Program] = []
    """What becomes a command: names of files in the archive, or one name for a file that is the program."""
    plugin: PluginName | None = None
    """``<kind>-<name>``, such as ``resource-kubernetes``: the whole archive becomes a plugin of Pulumi."""
    licence: str
    """SPDX expression."""
    reason: Sentence

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if bool(self.programs) == bool(self.plugin):
            raise ValueError(f"tool {self.name}: say either programs or plugin")
        return self


class Bootstrap(Strict):
    """The section ``bootstrap``."""

    project: Name
    """The package that brings the command; its wheel is given to the lock unless ``requirements`` pins it."""
    requirements: Path
    """A requirements file in pip's format, every package pinned with hashes, pip among them; in the catalog's
    directory."""
    index: str = "https://pypi.org/simple"
    """A package index that answers in JSON (PEP 691)."""
    pythons: list[PythonVersion] = Field(min_length=1)
    """Versions of Python for which wheels are carried: those that operators' machines have."""
    glibc: Annotated[str, StringConstraints(pattern=r"^2\.\d{1,2}$")] = "2.34"
    """The oldest C library of those machines."""
    licences: dict[str, str] = {}
    """SPDX expressions of packages whose wheels say none."""
    tools: list[Tool] = []

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        names = [t.name for t in self.tools]
        if twice := sorted({n for n in names if names.count(n) > 1}):
            raise ValueError(f"tools: {twice[0]} stands {names.count(twice[0])} times")
        return self
