"""Models: which files of a hub's revision or of a directory are carried, locked by sha256 and fetched again."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from httpx2 import HTTPError  # what huggingface-hub speaks HTTP with, and raises
from huggingface_hub import HfApi, hf_hub_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils.tqdm import tqdm

from .catalog import DirectorySource, HubSource, Model
from .errors import BadInput, Damaged, NotUpstream, RegistryRefused, SealiftError
from .lock import LockedFile, LockedModel
from .source_map import SourceMap

WEIGHTS = frozenset({".safetensors"})
TEXT = frozenset({".json", ".txt", ".model", ".tiktoken", ".jinja", ".md"})
"""Configuration, tokenizer (``.model`` is SentencePiece), chat template, model card."""
LEGAL = re.compile(r"(licen[cs]e|notice|copying|use[_-]policy|third[_-]party)", re.IGNORECASE)
PICKLES = frozenset({".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".h5", ".npy", ".joblib", ".msgpack"})
"""Formats whose loaders can run code, or often do. https://huggingface.co/docs/hub/security-pickle"""

_COMMIT = re.compile(r"[0-9a-f]{40}")

Advance = Callable[[int], None]
"""Is told of bytes that have been moved."""


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


def lock_model(model: Model, source_map: SourceMap) -> LockedModel:
    """``model`` at a commit, every carried file with its sha256 and size.

    Files in Git LFS are locked by what the hub says of them; the others, which are small, are fetched and hashed.
    Raises NotUpstream, RegistryRefused, BadInput.
    """
    if isinstance(model.source, DirectorySource):
        return _lock_directory(model, model.source)
    return _lock_hub(model, model.source, source_map)


def fetch(model: LockedModel, file: LockedFile, source_map: SourceMap, into: Path, advance: Advance) -> Path:
    """Download ``file`` at the locked commit below ``into`` and check it; an earlier attempt is continued.

    Raises Damaged when the hub's file is not the locked one, NotUpstream, RegistryRefused.
    """
    host, _, repo = model.origin.partition("/")
    path = _download(source_map.hub(host), repo, model.revision, file.name, into, advance)
    if (actual := sha256(path)) != file.sha256:
        path.unlink()
        raise Damaged(
            f"{model.origin}@{model.revision} {file.name}",
            f"sha256 is {actual}, the lock says {file.sha256}",
            "Lock again and review the difference, or fetch from a hub that has the locked file.",
        )
    return path


def sha256(path: Path) -> str:
    """Hex sha256 of a file, read in pieces."""
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def _safe(name: str) -> bool:
    path = PurePosixPath(name)
    if any(part.startswith(".") for part in path.parts):
        return False
    return path.suffix in WEIGHTS | TEXT or (path.suffix not in PICKLES and bool(LEGAL.match(path.name)))


def _lock_hub(model: Model, source: HubSource, source_map: SourceMap) -> LockedModel:
    origin, endpoint = f"{source.host}/{source.repo}", source_map.hub(source.host)
    try:
        api = HfApi(endpoint=endpoint, token=_token(endpoint))
        info = api.model_info(source.repo, revision=source.revision, files_metadata=True)
    except (OSError, HTTPError) as e:
        raise _refusal(f"{origin}@{source.revision}", e) from e
    commit = str(info.sha)
    if not _COMMIT.fullmatch(commit) or (_COMMIT.fullmatch(source.revision) and commit != source.revision):
        raise NotUpstream(f"{origin}@{source.revision}", f"the hub answered with {commit!r}", "Name a commit it has.")
    siblings: dict[str, Any] = {s.rfilename: s for s in info.siblings or []}
    files = []
    with tempfile.TemporaryDirectory(prefix="sealift-lock-") as scratch:
        for name in carried(siblings, model.allow_files, origin):
            if lfs := siblings[name].lfs:
                files.append(LockedFile(name=name, sha256=lfs.sha256, size=lfs.size))
            else:
                path = _download(endpoint, source.repo, commit, name, Path(scratch), _ignore)
                files.append(LockedFile(name=name, sha256=sha256(path), size=path.stat().st_size))
    return LockedModel(name=model.name, origin=origin, revision=commit, licence=model.licence, files=files)


def _lock_directory(model: Model, source: DirectorySource) -> LockedModel:
    if not source.path.is_dir():
        raise BadInput(str(source.path), "no such directory", f"Correct the path of model {model.name}.")
    names = [p.relative_to(source.path).as_posix() for p in source.path.rglob("*") if p.is_file()]
    files = [
        LockedFile(name=n, sha256=sha256(source.path / n), size=(source.path / n).stat().st_size)
        for n in carried(names, model.allow_files, str(source.path))
    ]
    listing = "".join(f"{f.sha256}  {f.name}\n" for f in files)
    revision = hashlib.sha256(listing.encode()).hexdigest()
    origin = f"directory/{model.name}"
    return LockedModel(name=model.name, origin=origin, revision=revision, licence=model.licence, files=files)


def _download(endpoint: str, repo: str, commit: str, name: str, into: Path, advance: Advance) -> Path:
    class Counted(tqdm):  # type: ignore[type-arg,misc,unused-ignore]
        """Draws nothing; tells ``advance`` what was received."""

        def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - tqdm's own
            options.pop("name", None)
            super().__init__(*args, **{**options, "disable": True})  # type: ignore[no-untyped-call]

        def update(self, n: float | None = 1) -> None:
            advance(int(n or 0))

    try:
        return Path(
            hf_hub_download(
                repo,
                name,
                revision=commit,
                local_dir=into,
                endpoint=endpoint,
                token=_token(endpoint),
                tqdm_class=Counted,
            )
        )
    except (OSError, HTTPError) as e:
        raise _refusal(f"{repo}@{commit} {name}", e) from e


def _token(endpoint: str) -> bool | None:
    """The person's own token goes over TLS only; None means: if there is one."""
    return None if endpoint.startswith("https://") else False


def _refusal(subject: str, e: Exception) -> SealiftError:
    first = str(e).strip().splitlines()[0] if str(e).strip() else type(e).__name__
    if isinstance(e, GatedRepoError):
        return RegistryRefused(subject, first, "Accept the model's terms on the hub and log in (hf auth login).")
    if isinstance(e, LocalEntryNotFoundError):
        return RegistryRefused(subject, f"the hub cannot be reached: {e.__cause__ or first}", "See that it answers.")
    if isinstance(e, (RepositoryNotFoundError, RevisionNotFoundError, EntryNotFoundError)):
        return NotUpstream(subject, first, "Correct the repository or the revision; log in if it is private.")
    return RegistryRefused(subject, first, "See that the hub answers; then run the command again.")


def _ignore(_: int) -> None:
    return None
