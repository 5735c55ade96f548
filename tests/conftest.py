"""Tests that take real programs or seconds are ``slow``: `make check` leaves them out, `make test` runs them."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What lies in a directory called ``real`` is slow without saying so."""
    for item in items:
        if "real" in item.path.parts:
            item.add_marker(pytest.mark.slow)
