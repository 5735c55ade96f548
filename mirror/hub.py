"""A model hub that speaks the Hugging Face HTTP API, as the lock reads it."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
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

from .catalog import HubSource, Model
from .errors import NotUpstream, RegistryRefused, SealiftError
from .lock import LockedFile, LockedModel
from .model_files import carried, sha256
from .source_map import SourceMap

_COMMIT = re.compile(r"[0-9a-f]{40}")


def lock(model: Model, source: HubSource, source_map: SourceMap) -> LockedModel:
    """``model`` at the commit that its revision names; raises NotUpstream, RegistryRefused, BadInput.

    Files in Git LFS are locked by what the hub says of them; the others, which are small, are fetched and hashed.
    """
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
                path = _download(endpoint, source.repo, commit, name, Path(scratch))
                files.append(LockedFile(name=name, sha256=sha256(path), size=path.stat().st_size))
    return LockedModel(name=model.name, origin=origin, revision=commit, licence=model.licence, files=files)


def _download(endpoint: str, repo: str, commit: str, name: str, into: Path) -> Path:
    try:
        token = _token(endpoint)
        return Path(hf_hub_download(repo, name, revision=commit, local_dir=into, endpoint=endpoint, token=token))
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
