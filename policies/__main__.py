"""The policy pack's program: ``pulumi preview --policy-pack policies``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pulumi_policy import PolicyPack

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # Pulumi starts the pack by path, not as a module of the project

from mirror.errors import SealiftError  # noqa: E402
from policies.expected import expected  # noqa: E402
from policies.pack import policies  # noqa: E402

try:
    PolicyPack("sealift", policies(expected(os.environ, HERE.parent / "site" / "receipt.json")))
except SealiftError as e:
    sys.exit(f"{e.given}\n  why: {e.why}\n  instead: {e.instead}")
