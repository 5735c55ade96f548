"""What the rules compare with before an update: the receipt of the load, and what the stack says about the rules.

Pulumi gives a policy pack no stack configuration, so the environment says where the receipt and the stack's file lie.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from pydantic import BaseModel, Field

from mirror.document import validate
from mirror.errors import BadInput
from mirror.receipt import Receipt
from mirror.text import Loader

from .receipt_parameter import receipt_data
from .settings import Settings

RECEIPT_VARIABLE = "SEALIFT_RECEIPT"
"""Environment variable with the path of receipt.json."""
STACK_VARIABLE = "SEALIFT_STACK_FILE"
"""Environment variable with the path of Pulumi.<stack>.yaml; without it the rules know no exception of the stack's."""


@dataclass(frozen=True)
class Expected:
    """The internal registry, what is in it, and the stack's settings."""

    registry: str
    """``host[:port][/prefix]``."""
    images: frozenset[str]
    """Every image and model that arrived, as ``<registry>/<name>@<digest>``."""
    exclusions: frozenset[str] = field(default_factory=frozenset)
    """Texts that look like images and are none, or are known and not shipped."""
    receipt: Mapping[str, str] = field(default_factory=dict)
    """The receipt as rules read it: see receipt_parameter.py."""
    settings: Settings = field(default_factory=Settings)

    @classmethod
    def of(cls, receipt: Receipt, settings: Settings | None = None) -> Expected:
        """What ``receipt`` proves."""
        images = [i.mirrored for i in receipt.images] + [m.mirrored for m in receipt.models]
        exclusions = frozenset(e.value for e in receipt.exclusions)
        data = receipt_data(receipt)
        return cls(receipt.registry, frozenset(images), exclusions, data, settings or Settings())


def expected(environment: Mapping[str, str], usual: Path) -> Expected:
    """By $SEALIFT_RECEIPT, else by the receipt at ``usual``; raises BadInput when there is neither."""
    given = environment.get(RECEIPT_VARIABLE)
    if not given and not usual.is_file():
        why = f"nothing says which images are allowed: {RECEIPT_VARIABLE} is not set and {usual} does not exist"
        raise BadInput("policy pack", why, f"Set {RECEIPT_VARIABLE} to the path of the stack's receipt.json.")
    stack = environment.get(STACK_VARIABLE)
    return Expected.of(Receipt.read(Path(given) if given else usual), settings(Path(stack)) if stack else None)


class _Need(BaseModel):
    """What the rules want to know of an exit that a stack names; the program checks the rest."""

    name: str
    host: str


class _Values(BaseModel):
    unverified_model_sources: list[str] = Field(default=[], alias="sealift:unverifiedModelSources")
    domain: str = Field(default=Settings.domain, alias="sealift:domain")
    egress: list[_Need] = Field(default=[], alias="sealift:egress")


class _StackFile(BaseModel):
    config: _Values = _Values()


def settings(stack: Path) -> Settings:
    """What the stack's file at ``stack`` says about the rules; raises BadInput when it cannot be read."""
    try:
        found = yaml.load(stack.read_text(encoding="utf-8"), Loader) or {}  # noqa: S506 - a safe loader
    except (OSError, yaml.YAMLError) as e:
        raise BadInput(str(stack), str(e), f"Set {STACK_VARIABLE} to the path of Pulumi.<stack>.yaml.") from e
    values = validate(_StackFile, found, str(stack)).config
    hosts = [h for need in values.egress for h in (need.host, f"{need.name}.invalid")]
    return Settings(tuple(values.unverified_model_sources), tuple(hosts), values.domain)
