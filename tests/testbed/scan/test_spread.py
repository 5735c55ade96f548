from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from mirror.errors import BadInput
from testbed.scan.spread import spread, text

_TEMPLATE = re.compile(r"\{\{-?\s*\.(Values|Release)\.")  # what checkov takes for a Helm template


def config_map(name: str, **data: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "a"}, "data": data}


def test_each_object_gets_a_file_of_its_own(tmp_path: Path) -> None:
    given = spread([config_map("x"), config_map("y")], tmp_path / "objects")
    assert given.keys == {"00000.yaml": "configmap/a/x", "00001.yaml": "configmap/a/y"}
    assert sorted(p.name for p in given.directory.iterdir()) == ["00000.yaml", "00001.yaml"]


@pytest.mark.parametrize("value", ["{{ .Values.x }}", "{{{ .Values.x", "{{{{ .Release.Name", "a{{-.Values.b}}"])
def test_a_text_that_looks_like_a_template_does_not_show_and_is_not_changed(value: str) -> None:
    written = text(config_map("x", template=value))
    assert not _TEMPLATE.search(written)
    assert yaml.safe_load(written)["data"] == {"template": value}


def test_a_file_that_nobody_gave_is_noticed(tmp_path: Path) -> None:
    given = spread([config_map("x")], tmp_path)
    assert given.key_of("/any/where/00000.yaml") == "configmap/a/x"
    with pytest.raises(BadInput, match="was not given"):
        given.key_of("other.yaml")
