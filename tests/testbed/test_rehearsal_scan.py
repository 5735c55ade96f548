from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from testbed.rehearsal import stack
from testbed.rehearsal.operator import Operator
from testbed.rehearsal.scan import Scan


@dataclass
class Noted:
    """An operator who only writes down what he is asked to do."""

    project: Path
    asked: list[str] = field(default_factory=list)

    def ask(self, *command: object) -> str:
        self.asked.append(" ".join(map(str, command[:4])))
        return "{}"

    def sealift(self, *arguments: object, log: str) -> str:
        self.asked.append(" ".join(Path(str(a)).name for a in arguments))
        return log


@pytest.fixture
def operator(tmp_path: Path) -> Noted:
    return Noted(tmp_path / "project")


def scan(operator: Noted, directory: Path, prepared: list[str], stack: str, **fields: Any) -> str:  # noqa: ANN401
    Scan(cast(Operator, operator), directory, prepared.append).run(stack, output=directory, **fields)
    return operator.asked[-1]


def test_the_full_stack_is_scanned_with_what_runs_and_with_the_other_as_it_is_shipped(
    operator: Noted, tmp_path: Path
) -> None:
    prepared: list[str] = []
    said = scan(operator, tmp_path, prepared, "dev", with_others=True)
    assert said.startswith("scan dev as applied.json dev as it runs.json prod as previewed.json --openapi openapi.json")
    assert "--partial" not in said
    assert prepared == ["prod"]
    assert operator.asked[-4:-2] == ["pulumi preview --json --stack", "pulumi stack rm --yes"]


@pytest.mark.parametrize(("stack", "with_others"), [("prod", True), ("dev", False)])
def test_where_not_every_object_is_there_an_exception_may_speak_of_another(
    operator: Noted, tmp_path: Path, stack: str, with_others: bool
) -> None:
    assert scan(operator, tmp_path, [], stack, with_others=with_others).endswith("--partial")


def test_a_stack_as_it_is_shipped_has_nothing_of_the_rehearsal_but_what_the_site_knows(tmp_path: Path) -> None:
    project = stack.project(tmp_path / "project")
    stack.write("prod", project, {"sealift:receipt": "r.json"}, as_shipped=True)
    config = yaml.safe_load((project / "stacks" / "Pulumi.prod.yaml").read_text())["config"]
    assert config["sealift:receipt"] == "r.json"
    assert "sealift:serviceType" not in config
    assert "sealift:values" not in config
