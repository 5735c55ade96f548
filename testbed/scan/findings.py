"""What a scanner says of one object, and what all scanners said of one set of objects."""

from __future__ import annotations

from mirror.document import Strict


class Finding(Strict):
    """An object that breaks a scanner's rule. Two findings of one rule in one object are one, with both messages."""

    scanner: str
    rule: str
    """The scanner's own name of the rule: a checkov ID, the query name of KICS, ``schema`` of kubeconform."""
    title: str
    """What the rule asks for, in the scanner's words."""
    object: str
    """``kind/namespace/name``, or ``kind/name`` of what has no namespace."""
    message: str = ""
    """Where in the object, when the scanner says."""


class Scanned(Strict):
    """What one scanner did with one set of objects."""

    subject: str
    """Which set, such as ``dev as applied``."""
    scanner: str
    version: str
    objects: int
    """Given to it, and shown to have been read; the planted ones are not counted."""
    seconds: float
    findings: list[Finding]
    keys: list[str]
    """Keys of the objects, sorted."""


def joined(findings: list[Finding]) -> list[Finding]:
    """One finding for each scanner, rule and object, with the messages of all, sorted."""
    found: dict[tuple[str, str, str], list[Finding]] = {}
    for f in findings:
        found.setdefault((f.scanner, f.rule, f.object), []).append(f)
    return [
        same[0].model_copy(update={"message": "; ".join(sorted({f.message for f in same} - {""}))})
        for _, same in sorted(found.items())
    ]
