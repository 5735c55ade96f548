"""Attempts against the API server: an object to be made, or a call, under an identity; nothing is ever changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from smoke_tests.cluster import Cluster, Document, Identity, Refused

from .guard import Guard


@dataclass(frozen=True)
class Request:
    """What is asked of the API server, so that it judges and changes nothing."""

    words: tuple[str, ...]
    """kubectl's arguments; those that would change something carry ``--dry-run=server``."""
    document: Document | None = None

    def ask(self, cluster: Cluster, identity: Identity | None) -> Refused | None:
        """The refusal, or None when it would be done."""
        stdin = json.dumps(self.document) if self.document is not None else None
        return cluster.ask(*self.words, identity=identity, stdin=stdin)


def create(document: Document) -> Request:
    """Make ``document``."""
    return Request(("create", "--dry-run=server", "-o", "name", "-f", "-"), document)


@dataclass(frozen=True)
class ApiAttempt:
    """``attack`` must be refused by one of ``guards``, ``control`` must be accepted: the difference is the attack."""

    sentence: str
    attack: Request
    control: Request
    guards: frozenset[Guard]
    identity: Identity | None = None
    """Who tries; None is the cluster's administrator, whom no RBAC stops."""
    control_identity: Identity | None = None
    """Who makes the control; an attempt that only RBAC refuses is made by the administrator then."""

    def __str__(self) -> str:
        """As an id of a test."""
        return self.sentence


@dataclass(frozen=True)
class Variation:
    """One object that conforms, and how to break it in one way."""

    conforming: Callable[[], Document]
    guards: frozenset[Guard]
    breaks: dict[str, Callable[[Document], None]] = field(default_factory=dict)

    def attempts(self) -> list[ApiAttempt]:
        """An attempt for each way to break it, with the whole object as control."""
        listed = []
        for sentence, break_it in self.breaks.items():
            broken = self.conforming()
            break_it(broken)
            listed.append(ApiAttempt(sentence, create(broken), create(self.conforming()), self.guards))
        return listed
