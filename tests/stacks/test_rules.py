from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from components.admission import RulesArgs
from mirror.errors import BadInput
from mirror.receipt import Receipt
from stacks import config, environment
from tests.components.harness import FakeCluster, make_receipt


def rules(directory: Path, **values: Any) -> RulesArgs:  # noqa: ANN401 - configuration values
    origin = make_receipt(directory)
    stack = config.read({"receipt": str(origin), **values}, "test")
    return environment.platform_args(stack, Receipt.read(origin), origin, FakeCluster(), directory).rules


def test_a_stack_that_says_nothing_makes_no_exception(tmp_path: Path) -> None:
    found = rules(tmp_path)
    assert (list(found.unguarded), list(found.unverified_model_sources), list(found.earlier)) == ([], [], [])


def test_exceptions_are_named_in_the_stack(tmp_path: Path) -> None:
    found = rules(tmp_path, unguardedNamespaces=["gpu-operator"], unverifiedModelSources=["pvc://weights/"])
    assert (list(found.unguarded), list(found.unverified_model_sources)) == (["gpu-operator"], ["pvc://weights/"])


def test_an_earlier_receipt_is_read_beside_the_stack(tmp_path: Path) -> None:
    (tmp_path / "before").mkdir()
    make_receipt(tmp_path / "before", kubernetes="1.33")
    [earlier] = rules(tmp_path, earlierReceipts=["before/receipt.json"]).earlier
    assert earlier.kubernetes == "1.33"


def test_an_earlier_receipt_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"gone\.json"):
        rules(tmp_path, earlierReceipts=["gone.json"])
