"""What a stack may set about the rules. What is not said is closed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .rule import Rule

BREAK_GLASS = "sealift:break-glass"
"""The group whose members may enter the platform's own pods (docs/break-glass.md)."""


@dataclass(frozen=True)
class Settings:
    """Values that rules read as ``variables.<name>``."""

    unverified_model_sources: Sequence[str] = ()
    """Beginnings of a storageUri (``pvc://weights/``) that need not be in the receipt."""
    egress_hosts: Sequence[str] = ()
    """Hosts outside the cluster that the stack names as needs."""
    domain: str = "models.internal"
    """What models answer below: the names of the site's own gateway."""

    def variables(self, rule: Rule) -> Iterator[tuple[str, str]]:
        """Name and CEL text of the settings that ``rule`` reads."""
        values = {
            "unverifiedModelSources": list(self.unverified_model_sources),
            "egressHosts": list(self.egress_hosts),
            "domain": self.domain,
            "breakGlassGroup": BREAK_GLASS,
        }
        read = [*(f.each for f in rule.findings), *(v.expression or v.perPod or "" for v in rule.variables)]
        texts = " ".join(read)
        for name, value in values.items():
            if f"variables.{name}" in texts:
                yield name, json.dumps(value)  # JSON's strings and lists are CEL's
