"""Tests that take real programs or seconds are ``slow``: `make check` leaves them out, `make test` runs them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import settings

# How long an example takes is nothing that a property is about, and a busy machine would fail it.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

COUNTED = "counted"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What lies in a directory called ``real`` is slow without saying so."""
    for item in items:
        if "real" in item.path.parts:
            item.add_marker(pytest.mark.slow)


@pytest.fixture
def counted(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Takes a line of figures, which is printed when all tests have run, also when several processes run them."""
    return lambda line: request.node.user_properties.append((COUNTED, line))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was counted."""
    reports = [r for outcome in ("passed", "failed") for r in terminalreporter.stats.get(outcome, [])]
    lines = [text for r in reports if r.when == "call" for name, text in r.user_properties if name == COUNTED]
    if lines:
        terminalreporter.section("counted")
        for line in lines:
            terminalreporter.line(line)
