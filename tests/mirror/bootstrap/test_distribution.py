"""The section that the distribution ships: its versions belong together and are those that are tested."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pydantic import ValidationError

from mirror.bootstrap import requirements
from mirror.bootstrap.declared import Bootstrap, Tool
from mirror.catalog import Catalog
from mirror.errors import BadInput

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def section() -> Bootstrap:
    found = Catalog.load(ROOT / "catalog").bootstrap
    assert found
    return found


def pinned(path: Path) -> dict[str, tuple[str, frozenset[str]]]:
    return {p.name: (p.version, p.hashes) for p in requirements.read(path)}


def test_machines_get_the_packages_that_the_tests_ran_with(section: Bootstrap) -> None:
    tested, carried = pinned(ROOT / "requirements.lock"), pinned(section.requirements)
    assert {k: v for k, v in carried.items() if k != "pip"} == {k: tested[k] for k in carried if k != "pip"}


def test_machines_get_everything_that_the_project_needs_and_nothing_for_its_development(section: Bootstrap) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    carried = pinned(section.requirements)
    assert {canonicalize_name(Requirement(d).name) for d in project["dependencies"]} <= carried.keys()
    assert carried.keys().isdisjoint({"mypy", "ruff", "uv", "locust"})
    assert project["name"] == section.project


def test_pulumi_and_its_plugin_are_of_the_versions_of_their_packages(section: Bootstrap) -> None:
    carried = pinned(section.requirements)
    tools = {t.name: t for t in section.tools}
    assert carried["pulumi"][0] == tools["pulumi"].version
    assert carried["pulumi-kubernetes"][0] == tools["pulumi-kubernetes"].version


def test_each_tools_url_is_of_its_version(section: Bootstrap) -> None:
    assert all(t.version in url for t in section.tools for url in t.files.values())


@pytest.mark.parametrize("wrong", [{}, {"programs": ["x"], "plugin": "resource-x"}])
def test_a_tool_is_programs_or_a_plugin(wrong: dict[str, object]) -> None:
    tool = {"name": "x", "version": "1", "files": {"linux/amd64": "https://x.test/x"}, "licence": "MIT"}
    with pytest.raises(ValidationError, match="say either programs or plugin"):
        Tool.model_validate({**tool, "reason": "It is part of a test.", **wrong})


def test_the_section_stands_once(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text("version: 1\nbootstrap: {project: p, requirements: r, pythons: ['3.11']}\n")
    with pytest.raises(BadInput, match="stands in 2 files"):
        Catalog.load(tmp_path)
