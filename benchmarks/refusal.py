"""What a person can act on is said as the command says it: given, why, instead, and no traceback."""

from __future__ import annotations

import sys
from collections.abc import Callable

from mirror.errors import SealiftError


def told(run: Callable[[], int]) -> int:
    """The exit status of ``run``, or of the error that ended it."""
    try:
        return run()
    except SealiftError as e:
        print(f"{e.given}\n  why: {e.why}\n  instead: {e.instead}", file=sys.stderr)
        return e.exit_code
