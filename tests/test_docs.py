"""The examples of README and docs/ hold: commands parse, configuration is accepted, code compiles."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import typer.main
import yaml

import sealift
from mirror.catalog import Catalog
from mirror.document import validate
from mirror.errors import SealiftError
from mirror.source_map import SourceMap
from stacks.access import AccessConfig, TenantConfig
from stacks.config import ModelConfig

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)


def blocks(language: str) -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for found in _BLOCK.finditer(page.read_text()):
            if found[1] == language:
                yield page.name, found[2]


def commands(program: str) -> list[tuple[str, str]]:
    return [
        (page, line)
        for page, text in blocks("sh")
        for line in text.replace("\\\n", " ").splitlines()
        if line.startswith(f"{program} ")
    ]


def parse(line: str) -> click.Context:
    """Parse ``line`` down to its sub-command, without running anything."""
    command: Any = typer.main.get_command(sealift.assemble([]))
    words = shlex.split(line, comments=True)[1:]
    context = click.Context(command, info_name="sealift")
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
        context = click.Context(command, parent=context, info_name=command.name)
    command.parse_args(context, words)
    return context


@pytest.mark.parametrize(("page", "line"), commands("sealift"))
def test_a_command_of_the_docs_is_one_that_sealift_has(page: str, line: str) -> None:
    assert parse(line).params


def test_an_option_that_does_not_exist_would_be_noticed() -> None:
    with pytest.raises(Exception, match="--no-such"):
        parse("sealift lock --no-such")


def test_each_make_target_of_the_docs_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {t for page in PAGES for t in re.findall(r"(?:`|^    )make ([a-z]+)", page.read_text(), re.MULTILINE)}
    assert named
    assert named <= targets


def test_the_models_of_the_docs_are_ones_that_a_stack_accepts() -> None:
    found = [yaml.safe_load(text) for _, text in blocks("yaml") if "sealift:models" in text]
    assert found
    for document in found:
        for model in document["config"]["sealift:models"]:
            assert validate(ModelConfig, model, "docs").runtime


def test_the_tenants_and_issuers_of_the_docs_are_ones_that_a_stack_accepts() -> None:
    found = [yaml.safe_load(text)["config"] for _, text in blocks("yaml") if "sealift:tenants" in text]
    tenants = [validate(TenantConfig, t, "docs") for config in found for t in config["sealift:tenants"]]
    issuers = [validate(AccessConfig, c["sealift:access"], "docs") for c in found if "sealift:access" in c]
    assert tenants and issuers


def test_the_catalog_entries_of_the_docs_are_accepted() -> None:
    found = [text for _, text in blocks("yaml") if text.startswith("models:")]
    assert found
    assert all(Catalog.parse(text, "docs.yaml").models for text in found)


def test_the_signature_rules_of_the_docs_are_accepted() -> None:
    found = [text for _, text in blocks("yaml") if text.startswith("signatures:")]
    assert found
    assert all(Catalog.parse(text, "docs.yaml").signatures for text in found)


def test_the_licence_exceptions_of_the_docs_are_accepted() -> None:
    found = [text for _, text in blocks("yaml") if text.startswith("licence_exceptions:")]
    assert found
    assert all(Catalog.parse(text, "docs.yaml").licence_exceptions for text in found)


def test_the_section_of_operators_machines_of_the_docs_is_accepted() -> None:
    (text,) = [text for _, text in blocks("yaml") if text.startswith("bootstrap:")]
    found = Catalog.parse(text, "docs.yaml").bootstrap
    assert found and [t.name for t in found.tools] == ["helm", "pulumi-kubernetes"]


def test_the_source_map_of_the_docs_is_accepted() -> None:
    (text,) = [text for _, text in blocks("yaml") if text.startswith("docker.io:")]
    assert SourceMap.parse(text, "docs.yaml").hub("huggingface.co").endswith("/hf-remote")


@pytest.mark.parametrize(("page", "text"), list(blocks("python")))
def test_the_code_of_the_docs_compiles(page: str, text: str) -> None:
    compile(text, page, "exec")


def test_every_exit_code_of_the_errors_is_in_the_readme() -> None:
    documented = {int(c) for c in re.findall(r"^\| (\d+) \|", (ROOT / "README.md").read_text(), re.MULTILINE)}
    codes = {e.exit_code for e in _descendants(SealiftError)}
    assert codes <= documented


def _descendants(kind: type[SealiftError]) -> Iterator[type[SealiftError]]:
    for below in kind.__subclasses__():
        yield below
        yield from _descendants(below)
