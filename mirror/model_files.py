"""Which files of a model are carried: safe weights, configuration, tokenizer, licences, and what is allowed by name."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from .errors import BadInput
from .lock import LockedModel

WEIGHTS = frozenset({".safetensors"})
TEXT = frozenset({".json", ".txt", ".model", ".tiktoken", ".jinja", ".md"})
"""Configuration, tokenizer (``.model`` is SentencePiece), chat template, model card."""
LEGAL = re.compile(r"(licen[cs]e|notice|copying|use[_-]policy|third[_-]party)", re.IGNORECASE)
PICKLES = frozenset({".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".h5", ".npy", ".joblib", ".msgpack"})
"""Formats whose loaders can run code, or often do. https://huggingface.co/docs/hub/security-pickle"""

CODE = frozenset({".py", ".so", ".sh", ".ipynb"})
"""Code itself, which a loader that trusts the model runs."""


def carried(names: Iterable[str], allowed: Iterable[str], origin: str) -> list[str]:
    """The names that are carried, sorted: safe weights, configuration, tokenizer, licences and what is allowed by name.

    Pickle-bearing files are left behind. Raises BadInput when an allowed name is absent, or when without the files
    that are left behind there would be no weights.
    """
    offered, wanted = set(names), set(allowed)
    if absent := sorted(wanted - offered):
        raise BadInput(origin, f"allow_files names {', '.join(absent)}, which it does not have", "Correct allow_files.")
    chosen = sorted(n for n in offered if n in wanted or _safe(n))
    if not any(PurePosixPath(n).suffix in WEIGHTS or n in wanted for n in chosen):
        pickles = sorted(n for n in offered if PurePosixPath(n).suffix in PICKLES)
        raise BadInput(
            origin,
            f"it has no *.safetensors; loading its {', '.join(pickles) or 'files'} can run code",
            "Name a revision with safetensors, or carry a file on purpose by allow_files.",
        )
    return chosen


def require_safe(names: Sequence[str], allowed: Sequence[str], origin: str) -> None:
    """Raise BadInput for files that can run code, in what is carried whole: nothing of it can be left behind."""
    chosen = carried(names, allowed, origin)
    harmful = [n for n in names if n not in chosen and PurePosixPath(n).suffix in PICKLES | CODE]
    if harmful:
        raise BadInput(
            origin, f"loading its {', '.join(harmful)} can run code", "Take an image without, or allow_files by name."
        )


def licence_file(model: LockedModel) -> str | None:
    """The first file of ``model`` that is its licence, or None."""
    return next((f.name for f in model.files if LEGAL.match(PurePosixPath(f.name).name)), None)


def sha256(path: Path) -> str:
    """Hex sha256 of a file, read in pieces."""
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def _safe(name: str) -> bool:
    path = PurePosixPath(name)
    if any(part.startswith(".") for part in path.parts):
        return False
    return path.suffix in WEIGHTS | TEXT or (path.suffix not in PICKLES and bool(LEGAL.match(path.name)))
