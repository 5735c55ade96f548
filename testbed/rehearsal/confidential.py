"""What must not be readable: the cluster's Secrets, in etcd, in the API server's account and in Pulumi's state."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mirror.errors import ChecksFailed
from mirror.protection import ENCRYPTED

_PUBLIC = (".crt", ".pem", "ca-bundle")  # certificates; a key's file is called .key everywhere in the platform
_PRIVATE_PEM = "key.pem"
_NEEDLE = 24  # characters: enough to be no accident, and short enough for a word of any encoding
_SHAPES = {
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?!\.\.\.)"),
    "a token": re.compile(r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{20,}"),
}


@dataclass(frozen=True)
class Word:
    """A piece of a secret, by which it is found wherever it was written down."""

    where: str
    """Whose it is: ``namespace/name key``, or a file."""
    text: str


def words(secrets: Iterable[Mapping[str, Any]]) -> list[Word]:
    """Pieces of every value of ``secrets`` (as the API has them) that is not public: as it is, and in base64."""
    found = []
    for secret in secrets:
        for key, encoded in (secret.get("data") or {}).items():
            if key.endswith(_PUBLIC) and not key.endswith(_PRIVATE_PEM):
                continue
            where = f"{secret['metadata']['namespace']}/{secret['metadata']['name']} {key}"
            plain = base64.b64decode(encoded).decode("latin-1")
            found += [Word(where, piece) for piece in (_piece(_body(plain)), _piece(encoded)) if piece]
    return found


def exposed(text: str, known: Sequence[Word]) -> list[str]:
    """Whose secrets stand in ``text``, and what in it has the shape of one. Never the secret itself."""
    found = {w.where for w in known if w.text in text}
    found |= {what for what, shape in _SHAPES.items() if shape.search(text)}
    return sorted(found)


def in_the_clear(stored: Mapping[str, str]) -> list[str]:
    """Keys of etcd whose values, by how they begin, are not encrypted."""
    return sorted(k for k, beginning in stored.items() if not beginning.startswith(ENCRYPTED))


def told(account: Iterable[str]) -> int:
    """How many lines of the account tell of a Secret; raises ChecksFailed for one that tells its content."""
    count = 0
    for line in account:
        event = json.loads(line)
        if (event.get("objectRef") or {}).get("resource") == "secrets":
            count += 1
            if "requestObject" in event or "responseObject" in event:
                raise ChecksFailed("audit log", f"event {event['auditID']} holds a Secret's content", _MEND)
    return count


def check(what: str, text: str, known: Sequence[Word]) -> None:
    """Raise ChecksFailed when a secret stands in ``text``, or when one that is put into it would not be found."""
    if not known:
        raise ChecksFailed(what, "there is no Secret whose values could be looked for", "Apply the stack first.")
    unseen = [w.where for w in known if w.where not in exposed(f"{text}\n{w.text}", [w])]
    if unseen:
        raise ChecksFailed(what, f"a secret that is put in is not found: {unseen[:3]}", "Mend the search.")
    if found := exposed(text, known):
        raise ChecksFailed(what, f"it holds in the clear: {', '.join(found)}", _MEND)


def of_file(path: Path, *fields: str) -> Word:
    """A piece of the text that lies in the JSON file ``path`` under ``fields``."""
    value: Any = json.loads(path.read_text(encoding="utf-8"))
    for field in fields:
        value = value[field]
    return Word(path.name, _piece(str(value)))


_MEND = "Find what writes it there; then change the secret, which is known now."


def _body(text: str) -> str:
    """The longest line: of a PEM file one of its body, which JSON and YAML leave as it is."""
    return max(text.splitlines() or [""], key=len)


def _piece(text: str) -> str:
    """The middle of ``text``; nothing when it is too short to be told from chance."""
    if len(text) < _NEEDLE:
        return ""
    start = (len(text) - _NEEDLE) // 2
    return text[start : start + _NEEDLE]
