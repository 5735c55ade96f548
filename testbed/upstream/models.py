"""The model repositories of the hub outside the gap, each with a single commit."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import chat_model, embedding_model, weights


@dataclass(frozen=True)
class StandIn:
    """A repository that stands for the one of the same name; ``write`` takes a directory and a licence's text."""

    repository: str
    commit: str
    licence: str
    task: str
    """As the hub names tasks."""
    write: Callable[[Path, str], None]


STAND_INS = (
    StandIn(chat_model.REPOSITORY, chat_model.COMMIT, chat_model.LICENCE, "text-generation", chat_model.write),
    StandIn(
        embedding_model.REPOSITORY,
        embedding_model.COMMIT,
        embedding_model.LICENCE,
        "feature-extraction",
        embedding_model.write,
    ),
)


def key() -> str:
    """Changes with the code that writes the repositories."""
    sources = (chat_model.__file__, embedding_model.__file__, weights.__file__, __file__)
    return hashlib.sha256(b"".join(Path(s).read_bytes() for s in sources)).hexdigest()[:16]


def write(directory: Path, licence_text: str) -> None:
    """Write every repository into ``directory``, below its own name. What is there afterwards is whole."""
    partial = directory.with_name(f"{directory.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    for model in STAND_INS:
        model.write(partial / model.repository, licence_text)
    partial.replace(directory)
